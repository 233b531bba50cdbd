import type { Message } from '../redfish/messages/message.ts'
import type { Bmc } from './bmc.ts'
import type { Change, LogEntry } from './state.ts'

/** MaxNumberOfRecords of the log; the oldest entry gives way (OverWritePolicy WrapsWhenFull). */
export const MAX_LOG_RECORDS = 1_000

/** The change that adds messages about `origin` to the BMC's log, to be committed with what it reports. */
export function logged(
  bmc: Bmc,
  now: number,
  origin: string,
  messages: readonly Message[],
): Pick<Change, 'log'> {
  const { log } = bmc.state
  const last = Number([...log.keys()].at(-1) ?? 0)
  const added = messages.map((message, index): LogEntry => ({
    id: String(last + index + 1),
    created: now,
    message,
    origin,
  }))
  const excess = Math.max(0, log.size + added.length - MAX_LOG_RECORDS)
  const dropped = [...log.keys()].slice(0, excess)
  return {
    log: [
      ...dropped.map((id) => [id, undefined] as const),
      ...added.map((entry) => [entry.id, entry] as const),
    ],
  }
}
