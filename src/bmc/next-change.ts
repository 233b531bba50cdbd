import type { Bmc, Listener } from './bmc.ts'
import { unlessAborted } from '../lib/abort.ts'
import type { Change } from './state.ts'

/** Resolves after the next commit that `concerns` says yes to; rejects with the signal's reason when that comes first. */
export async function nextChange(
  bmc: Bmc,
  concerns: (change: Change) => boolean,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted()
  const { promise, resolve } = Promise.withResolvers<void>()
  const listener: Listener = (change) => {
    if (concerns(change)) resolve()
  }
  bmc.listeners.add(listener)
  try {
    await unlessAborted(promise, signal)
  } finally {
    bmc.listeners.delete(listener)
  }
}
