"""MLPerf's compliance tests, adapted to mobile: measure a result again in ways that expose tricks."""
