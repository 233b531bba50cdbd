// Each reads the arguments (`--check`) itself; the second is loaded after the first may have written what it imports.
await import('./generate.ts')
await import('./pages.ts')
