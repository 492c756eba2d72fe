"""Recipes as data."""

from __future__ import annotations

import pytest

from samdb.errors import ConfigError
from samdb.sam.recipes import BACKBONE_DIMS, RECIPES, check_recipes, layout_dims


def test_every_recipe_and_the_projection_have_their_dimension_for_mobilesam() -> None:
    assert layout_dims("vit_t") == {
        "neck": 256,
        "neck_box": 256,
        "backbone": 320,
        "quarters": 1280,
        "token": 256,
        "tokens": 1024,
        "crop": 320,
        "semantic": 1280,
        "blend": 320 + 256,
        "proj": 128,
    }


def test_only_what_reads_the_backbone_grows_with_it() -> None:
    dims = layout_dims("vit_h")
    assert (dims["backbone"], dims["crop"], dims["blend"]) == (1280, 1280, 1280 + 256)
    assert (dims["neck"], dims["token"], dims["proj"]) == (256, 256, 128)


def test_recipes_come_back_in_the_order_asked_for_once_each() -> None:
    assert [r.name for r in check_recipes(["token", "neck", "token"])] == ["token", "neck"]


def test_an_unknown_recipe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="unknown recipe 'nose': choose from neck, neck_box, backbone"):
        check_recipes(["neck", "nose"])


def test_at_least_one_recipe_is_needed() -> None:
    with pytest.raises(ConfigError, match="no recipe given"):
        check_recipes([])


def test_a_fused_recipe_is_made_of_recipes_that_exist_and_are_not_fused() -> None:
    for recipe in RECIPES.values():
        assert (recipe.source == "fused") == bool(recipe.parts)
        assert all(RECIPES[part].source != "fused" for part in recipe.parts)


def test_every_recipe_says_what_it_is() -> None:
    assert all(name == r.name and len(r.about) > 20 for name, r in RECIPES.items())


def test_a_model_that_samdb_does_not_know_has_no_layout() -> None:
    with pytest.raises(ConfigError, match="unknown model 'vit_x': choose one of vit_t, vit_b"):
        layout_dims("vit_x")


def test_the_backbone_is_as_wide_as_the_networks_say() -> None:
    from samdb.sam.tiny_vit import EMBED_DIMS

    assert BACKBONE_DIMS["vit_t"] == EMBED_DIMS[3]
