"""The bank in the box: what its file must be, whatever it was trained to."""

from __future__ import annotations

import numpy as np
from safetensors import safe_open

from samdb.bank.built_in import BUILT_IN_FILE, BUILT_IN_NAME, built_in_bank
from samdb.sam.checkpoints import fingerprint_of
from samdb.sam.recipes import RECIPES


def test_it_is_small_and_holds_vectors_and_matrices_but_no_image() -> None:
    assert BUILT_IN_FILE.stat().st_size <= 2 * 1024**2
    with safe_open(BUILT_IN_FILE, framework="np") as file:
        names = list(file.keys())
        shapes = {name: file.get_slice(name).get_shape() for name in names}
    assert {name.partition(".")[0] for name in names} == {"vectors", "head"}
    assert all(len(shape) <= 2 for shape in shapes.values())


def test_its_card_says_what_it_was_trained_on_how_good_it_is_and_the_licence_of_the_data() -> None:
    card = built_in_bank().card
    assert card.name == BUILT_IN_NAME
    assert "700" in str(card.settings["trained_on"])
    assert "BDD100K" in str(card.settings["trained_on"])
    assert "education, research and not-for-profit" in str(card.settings["data_licence"])
    assert "500" in str(card.settings["figures_are_of"])
    for figure in ("val_accuracy", "val_macro_f1", "val_p_at_10", "val_open_set_auroc"):
        assert 0.5 < card.metrics[figure] < 1
    assert {"car", "pedestrian", "traffic sign", "traffic light", "truck", "bus", "bicycle"} <= {
        *card.classes
    }
    assert all(card.class_counts[name] >= 20 for name in card.classes)


def test_it_was_made_for_the_default_weights_and_reads_recipes_that_classify_computes() -> None:
    bank = built_in_bank()
    assert (bank.card.model, bank.card.fingerprint) == ("vit_t", fingerprint_of("vit_t"))
    assert set(bank.card.inputs) <= set(RECIPES)
    assert bank.head is not None
    assert bank.head.dim_in == sum(RECIPES[name].dim(320) for name in bank.card.inputs)


def test_it_knows_background_and_rejects_by_calibrated_scores() -> None:
    bank = built_in_bank()
    assert any(p.class_name is None for p in bank.prototypes)
    assert set(bank.card.thresholds) == set(bank.card.conformal) == set(bank.card.classes)
    assert np.allclose(np.linalg.norm(bank.matrix, axis=1), 1, atol=1e-5)
