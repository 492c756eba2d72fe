"""The memory bank: KMeans prototypes, the vote that classifies, calibration, and banks as files."""
