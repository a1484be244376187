"""What a job hands back: scores, maps, report, sentences."""
