"""Tests of runs/: how a long job runs, is killed and goes on."""
