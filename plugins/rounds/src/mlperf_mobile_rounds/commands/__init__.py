"""Commands about rounds of MLPerf Mobile: checking, importing, exporting, repeating and signing results."""
