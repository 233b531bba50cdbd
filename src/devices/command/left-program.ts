import type { DeviceStageName } from '../../bmc/device-faults.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Memo } from '../flasher.ts'
import { DRAIN_MS, GRACE_MS, isRunning, type ProgramMark, signalGroup } from './program.ts'

/** The program that was called last for an update: a console that dies leaves it running. */
interface Kept {
  readonly stage: DeviceStageName
  readonly mark?: ProgramMark | undefined
}

const LOOK_MS = 100

export function keep(memo: Memo, stage: DeviceStageName, mark: ProgramMark | undefined): void {
  memo.write(JSON.stringify({ stage, mark } satisfies Kept))
}

export function keptOf(memo: Memo): Kept | undefined {
  const text = memo.read()
  return text === undefined ? undefined : (JSON.parse(text) as Kept) // as it was kept
}

interface Outlasting {
  readonly clock: Clock
  /** How long it may go on. */
  readonly patienceMs: number
  readonly signal: AbortSignal
}

/** Waits for the end of a program that somebody else has started, and sees to it; ends it at once when nobody waits any more. */
export async function outlast(mark: ProgramMark, { clock, patienceMs, signal }: Outlasting): Promise<void> {
  const until = async (isThere: () => boolean, ms: number, abort?: AbortSignal): Promise<boolean> => {
    for (const since = clock.now(); !isThere();) {
      if (abort?.aborted === true || clock.now() - since >= ms) return false
      await clock.sleep(LOOK_MS)
    }
    return true
  }
  if (!(await until(() => !isRunning(mark), patienceMs, signal))) {
    const isGone = (): boolean => !signalGroup(mark.pid, 0)
    signalGroup(mark.pid, 'SIGTERM')
    await until(isGone, GRACE_MS)
    signalGroup(mark.pid, 'SIGKILL')
    await until(isGone, DRAIN_MS)
  }
  signal.throwIfAborted()
}
