"""BERT, RoBERTa and XLM-R."""
