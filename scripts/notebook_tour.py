# %% [markdown]
# # A tour of samdb
#
# Images become segments, segments a memory bank, and everything can be searched by example. VS Code and
# PyCharm open this file as a notebook (`jupytext --to ipynb` makes an `.ipynb`); it is a script as well:
#
#     python scripts/notebook_tour.py               # 20 COCO photographs, fetched from the package index
#     python scripts/notebook_tour.py PATH [OUT]    # your BDD100K or COCO folder; results are written to OUT
#
# In a notebook the last line of a cell shows itself: reports as tables, hits as pictures.

# %%
import sys
from pathlib import Path

# the checkout, whether this is run as a script, or as a notebook in it or in its folder scripts
here = Path(globals().get("__file__", "scripts/notebook_tour.py")).resolve()
sys.path.insert(0, str(here.parents[1] if here.is_file() else Path.cwd().parent))

import samdb
from samdb.sam.weights import user_weights_dir
from scripts.demo_plan import make_plan
from scripts.fetch_sample import fetch_sample

# a notebook's own arguments are not ours
arguments = [] if "ipykernel" in sys.modules else sys.argv[1:]
dataset = Path(arguments[0]) if arguments else fetch_sample(user_weights_dir().parent / "samples")
out = Path(arguments[1]) if len(arguments) > 1 else Path("samdb_demo") / "tour"
plan = make_plan(dataset)
print(f"{plan.limit} images of {plan.split} to learn from; to ask about: a {plan.class_name} of {plan.photo}")

# %% [markdown]
# ## Ingest
# SAM cuts every labelled box into a mask, and every mask's embedding is stored. Run it again: what is stored
# already is skipped.

# %%
db = samdb.connect(str(out / "store"))
report = db.ingest(dataset, split=plan.split, limit=plan.limit)
print(f"{report.n_ingested} images ingested, {report.n_segments} new segments")
report

# %% [markdown]
# What the store holds by now:

# %%
db

# %% [markdown]
# ## The memory bank
# KMeans centres per class, and thresholds from images that were held out.

# %%
bank = db.build_bank()
print(f"bank {bank.card.label}: {bank.card.n_prototypes} prototypes of {len(bank.classes)} classes")
bank

# %% [markdown]
# ## Classify
# One object of a photograph that was not learned from, by its box. Without boxes it is everything that SAM
# sees.

# %%
image = db.classify(plan.photo, boxes_xyxy=[plan.box_xyxy])
for found in image.segments:
    print(f"the {plan.class_name} is a {found.prediction.class_name}, score {found.prediction.score:.2f}")
image

# %% [markdown]
# ## Search
# Segments like the one in a box. A slice of the hits shows itself too, and a single hit as one picture.

# %%
hits = db.search(plan.photo, box_xyxy=plan.box_xyxy, limit=12)
for hit in hits[:5]:
    print(f"{hit.rank:3}  {hit.score:.3f}  {hit.segment.class_name}  {hit.segment.image_id}")
hits

# %%
hits[0]

# %% [markdown]
# ## Refine
# More like the first hit, and nothing like the last one. A stored segment is an example by its id.

# %%
more, _ = db.stored(hits[0].segment.segment_id)
less, _ = db.stored(hits[-1].segment.segment_id)
refined = db.search(plan.photo, box_xyxy=plan.box_xyxy, positives=[more], negatives=[less], per_image=2)
right = sum(hit.segment.class_name == plan.class_name for hit in refined[:10])
print(f"{right} of the first {len(refined[:10])} hits are a {plan.class_name}")
refined

# %% [markdown]
# ## Take it away
# In a format that other tools read: COCO, BDD100K, YOLO, Pascal VOC, Parquet, FiftyOne.

# %%
exported = db.export("coco", out / "coco", what="labels", force=True)
print(f"{exported.n_objects} objects of {exported.n_images} images exported to {exported.path}")
exported

# %%
db.close()
