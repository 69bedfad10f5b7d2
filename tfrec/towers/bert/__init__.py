"""The text tower: a BERT in Hugging Face layout, its tokenizer, and cached text vectors."""
