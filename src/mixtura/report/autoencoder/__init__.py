"""The report on an autoencoder: how near its answers come to what codes stand for, and what the answers look like."""

from mixtura.report.autoencoder.chapter import autoencoder_chapter, autoencoder_report
from mixtura.report.autoencoder.scores import AutoencoderScores

__all__ = ["AutoencoderScores", "autoencoder_chapter", "autoencoder_report"]
