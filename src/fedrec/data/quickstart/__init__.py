"""The bundled sample: purchases of an on-line gift shop (UCI Online Retail, CC BY 4.0; see ATTRIBUTION.txt)."""
