//! Tries the configuration against GLPI, step by step, and says for each fault what it means and
//! what to do.
