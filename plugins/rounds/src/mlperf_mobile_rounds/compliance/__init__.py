"""MLPerf's compliance tests, adapted to mobile: a result is measured again in ways that tricks do not survive."""
