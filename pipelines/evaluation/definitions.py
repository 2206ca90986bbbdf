"""What each number of a report means, in the words that are printed beside it."""

from __future__ import annotations

DEFINITIONS: dict[str, str] = {
    "protocol": "Full ranking over the whole pool, no sampled negatives. Items of a user's training history are left "
    "out of the lists, the truth is the pool's items that the user took in the test part only, with a weight above 0, "
    "and the items outside the catalogue that he took there, which no list can hold. "
    "Means are over users with truth. Ties go to the lower row.",
    "recall@K": "|top-K ∩ truth| / |truth|",
    "ndcg@K": "binary gain 1 / log2(position + 1), divided by the ideal over min(K, |truth|) positions",
    "hit_rate@K": "share of users with at least one true item in the top K",
    "coverage@K": "share of the pool's items that stand in at least one user's top K",
    "novelty@K": "mean over lists of the mean -log2(max(users who took the item in training, 1) / users), in bits",
    "gini@K": "Gini index of how often the pool's items stand in a top K: 0 all alike, 1 one item alone",
    "popularity_overlap@K": "share of the top K that belongs to the K items with most users in training",
    "strata_recall@K": "share of all true items that the lists hold, by popularity of the item in training: head holds "
    "the most popular items with a third of all (user, item) pairs, torso the next third, tail the rest with unseen "
    "items",
    "value@K": "what the true items in the top K are worth by the column of evaluate.value, mean over users",
    "value_recall@K": "of all that the true items are worth, the share that stands in the top K, over all users",
    "exposure_recall@K": "share of all true items that the lists hold: of those shown to anybody in training, and of "
    "those never shown",
    "unique_hits@K": "true items, summed over users, in the top K of this channel and of no other",
    "marginal_recall@K": "Recall@K of the merged list minus that of the list merged without this channel: estimate, "
    "low, high",
    "vs_hot@K": "Recall@K of this channel minus that of the channel 'hot': estimate, low, high",
    "fused_vs_best@K": "Recall@K of the merged list minus that of the channel with the highest: estimate, low, high",
    "union_recall@K": "share of the truth in the top K of any channel: the ceiling of merging, from up to C x K items",
    "returned@K": "items that the channel returned, up to K, mean over users",
    "overlap@K": "of all entries in the row channel's top K, the share that also stands in the column channel's top K "
    "for the same user",
    "intervals": "percentile intervals of 95 % from a bootstrap over users; differences are paired",
    "fused": "each channel is asked for fusion.channel_depth(max(K)) items (rrf without a set depth: twice max(K), at "
    "least 200), the lists are merged once, and every K is a prefix of the merged list",
    "selection": "channels that greedy forward selection keeps within the budget; chosen on other users than those "
    "whose Recall@K is reported; costs are sums over channels asked one after the other, without merging",
    "query_us": "median microseconds for one user, max(K) items, seen items left out, one query at a time, after "
    "warm-up; fused: all channels at the depth of merging, one after the other, and merging",
    "fit_s": "seconds to fit on the training part",
    "size_bytes": "bytes on disk",
}
