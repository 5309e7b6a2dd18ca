"""The Merkle tree against the definition in RFC 6962 and the published test vectors of Certificate Transparency."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghostd.core.ledger import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

# The leaves and roots that the implementations of RFC 6962 are tested with (certificate-transparency, trillian).
VECTOR_LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
VECTOR_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZES = st.integers(1, 70)


def leaves(count):
    return [leaf_hash(number.to_bytes(4, "big")) for number in range(count)]


def defined_root(hashes):
    """MTH as RFC 6962 section 2.1 writes it, over leaf hashes."""
    if len(hashes) == 1:
        return hashes[0]
    half = 1
    while half * 2 < len(hashes):
        half *= 2
    return hashlib.sha256(b"\x01" + defined_root(hashes[:half]) + defined_root(hashes[half:])).digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_the_published_ones(size):
    assert root([leaf_hash(leaf) for leaf in VECTOR_LEAVES[:size]]).hex() == VECTOR_ROOTS[size - 1]


def test_the_empty_tree_hashes_the_empty_string():
    assert root([]) == EMPTY_ROOT == hashlib.sha256().digest()


@given(SIZES)
def test_the_frontier_gives_the_defined_root_at_every_size(size):
    frontier = Frontier()
    for leaf in leaves(size):
        frontier.append(leaf)
    assert frontier.root() == defined_root(leaves(size))


@given(SIZES, st.data())
def test_every_leaf_is_shown_to_be_included(size, data):
    index = data.draw(st.integers(0, size - 1))
    all_leaves = leaves(size)
    proof = inclusion_proof(all_leaves, index)
    assert len(proof) <= (size - 1).bit_length()
    assert verify_inclusion(all_leaves[index], index, size, proof, root(all_leaves))


@given(SIZES, st.data())
def test_a_wrong_leaf_index_size_or_proof_is_not_accepted(size, data):
    index = data.draw(st.integers(0, size - 1))
    all_leaves = leaves(size)
    proof, right = inclusion_proof(all_leaves, index), root(all_leaves)
    assert not verify_inclusion(leaf_hash(b"another"), index, size, proof, right)
    assert not verify_inclusion(all_leaves[index], index, size, [*proof, right], right)
    assert not verify_inclusion(all_leaves[index], size, size, proof, right)
    assert not verify_inclusion(all_leaves[index], index, size, proof, leaf_hash(b"another root"))
    if size > 1:
        assert not verify_inclusion(all_leaves[index], (index + 1) % size, size, proof, right)
        assert not verify_inclusion(all_leaves[index], index, size, proof[:-1], right)
        bent = data.draw(st.integers(0, len(proof) - 1))
        changed = [*proof[:bent], bytes(32), *proof[bent + 1 :]]
        assert not verify_inclusion(all_leaves[index], index, size, changed, right)


@settings(max_examples=300)
@given(SIZES, st.data())
def test_a_grown_tree_is_shown_to_extend_the_old_one(size, data):
    old_size = data.draw(st.integers(1, size))
    all_leaves = leaves(size)
    proof = consistency_proof(all_leaves, old_size)
    assert verify_consistency(old_size, size, root(all_leaves[:old_size]), root(all_leaves), proof)


@settings(max_examples=300)
@given(SIZES, st.data())
def test_a_rewritten_history_is_not_shown_to_be_consistent(size, data):
    old_size = data.draw(st.integers(1, size))
    changed = data.draw(st.integers(0, old_size - 1))
    old, new = leaves(size)[:old_size], leaves(size)
    new[changed] = leaf_hash(b"rewritten")
    assert not verify_consistency(old_size, size, root(old), root(new), consistency_proof(new, old_size))
    bent = [*consistency_proof(new, old_size), bytes(32)]
    assert not verify_consistency(old_size, size, root(new[:old_size]), root(new), bent)


def test_indices_outside_the_tree_are_refused():
    with pytest.raises(IndexError):
        inclusion_proof(leaves(3), 3)
    with pytest.raises(IndexError):
        consistency_proof(leaves(3), 4)
    assert not verify_consistency(0, 3, EMPTY_ROOT, root(leaves(3)), [])
    assert not verify_consistency(2, 3, root(leaves(2)), root(leaves(3)), [])
