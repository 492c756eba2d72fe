"""Every error samdb raises on purpose, drawn as a tree.

SamdbError                   anything below; `main()` catches this one class, once
├── ConfigError              a setting, option or argument cannot be used               exit 2
├── InputError               what the user gave cannot be read (an image, labels)       exit 1
│   ├── ImageError           one image cannot be decoded or used
│   └── DatasetError         a dataset folder or label file is not what it should be
├── FetchError               a download did not arrive, or came damaged                 exit 1
├── WeightsError             a checkpoint is missing, damaged or cannot be fetched      exit 1
├── ModelError               the model was asked for something it cannot do             exit 1
│   └── DeviceMemoryError      the device has too little memory for it
├── WorkerError              the workers of an ingest cannot go on                      exit 1
├── BankError                a memory bank is missing, or made for another model        exit 1
└── StoreError               anything about the vector store                            exit 3
    ├── StoreUnavailableError  the server does not answer
    ├── StoreInUseError        another process holds the embedded store
    ├── StoreLayoutError       the store was laid out by another version, or another model
    └── StoreRejectedError     the store refused what was sent (a bad vector, a bad filter)
        └── StoreAccessError     it refused the API key, whatever was sent

Every message says what to do next. Foreign errors are translated where they arise, `from exc`.
"""


class SamdbError(Exception):
    """Base of all errors that samdb raises on purpose."""

    exit_code = 1


class ConfigError(SamdbError):
    """A setting, option or argument cannot be used."""

    exit_code = 2


class InputError(SamdbError):
    """What the user gave cannot be read."""


class ImageError(InputError):
    """One image cannot be decoded or used."""


class DatasetError(InputError):
    """A dataset folder or label file is not what it should be."""


class FetchError(SamdbError):
    """A download did not arrive, or came damaged."""


class WeightsError(SamdbError):
    """A checkpoint is missing, damaged or cannot be fetched."""


class ModelError(SamdbError):
    """The model was asked for something it cannot do."""


class DeviceMemoryError(ModelError):
    """The device has too little memory for what the model was asked."""


class WorkerError(SamdbError):
    """The workers of an ingest cannot go on."""


class BankError(SamdbError):
    """A memory bank is missing, or was made for another model or recipe."""


class StoreError(SamdbError):
    """Anything about the vector store."""

    exit_code = 3


class StoreUnavailableError(StoreError):
    """The server does not answer."""


class StoreInUseError(StoreError):
    """Another process holds the embedded store."""


class StoreLayoutError(StoreError):
    """The store was laid out by another version of samdb, or for another model."""


class StoreRejectedError(StoreError):
    """The store refused what was sent."""


class StoreAccessError(StoreRejectedError):
    """The store refused the API key."""
