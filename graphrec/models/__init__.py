"""Whatever learns with torch, PyG or gensim."""
