"""ExPecto: expression level from the chromatin that the Beluga network sees in 200 windows around the TSS."""
