import type { Flow } from './flow.ts'
import { immediate } from './immediate.ts'
import { atWindowStart, inWindow } from './in-window.ts'
import { onReset } from './on-reset.ts'
import { onStart } from './on-start.ts'

/** Every way that an update takes when nothing goes wrong; `docs/flows.md` is made of it. */
export const flows: readonly Flow[] = [...immediate, ...onReset, ...atWindowStart, ...inWindow, ...onStart]
