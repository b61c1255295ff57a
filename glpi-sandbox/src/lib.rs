//! A GLPI 10 in memory, served over HTTP, as nasty as a real one.
