"""Tests of jobs/: how a long job runs, is killed and goes on."""
