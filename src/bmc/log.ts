import type { Message } from '../redfish/messages/message.ts'
import { AUDIT_LOG, JOB_LOG, LOG } from '../redfish/uris.ts'
import type { Bmc } from './bmc.ts'
import { nextNumber } from './numbers.ts'
import type { BmcState, Cause, Change, Entries, LogEntry, Notice } from './state.ts'

/** MaxNumberOfRecords of a log; the oldest entry gives way (OverWritePolicy WrapsWhenFull). */
export const MAX_LOG_RECORDS = 1_000

/** Each log by its Id, as the state and a change name it. */
export const logs = {
  [LOG]: 'log',
  [AUDIT_LOG]: 'auditLog',
  [JOB_LOG]: 'jobLog',
} as const satisfies Record<string, keyof BmcState>
export type LogId = keyof typeof logs

/** The resource that entries are about, and what they come of. */
export type About = Cause & Pick<LogEntry, 'origin'>

/** The change that adds messages to the BMC's log, to be committed with what it reports. */
export function logged(
  bmc: Bmc,
  now: number,
  about: string | About,
  messages: readonly Message[],
): Pick<Change, 'log'> {
  return { log: additions(bmc, 'log', messages, { ...factsOf(about), created: now }) }
}

/** The change that adds what observers are told of to the BMC's log, to be committed with it. */
export function noted(
  bmc: Bmc,
  now: number,
  notices: readonly Notice[],
  cause: Cause = {},
): Pick<Change, 'log'> {
  return {
    log: notices.flatMap(
      ({ message, origin }) => logged(bmc, now, { ...cause, origin }, [message]).log ?? [],
    ),
  }
}

/** The change that adds what somebody did, or was refused, to the BMC's audit log. */
export function audited(
  bmc: Bmc,
  now: number,
  about: string | About,
  messages: readonly Message[],
): Pick<Change, 'auditLog'> {
  return { auditLog: additions(bmc, 'auditLog', messages, { ...factsOf(about), created: now }) }
}

/** The change that adds what became of a job to the job service's log. */
export function jobLogged(
  bmc: Bmc,
  now: number,
  about: string | About,
  messages: readonly Message[],
): Pick<Change, 'jobLog'> {
  return { jobLog: additions(bmc, 'jobLog', messages, { ...factsOf(about), created: now }) }
}

/** The change that empties a log. */
export function cleared(bmc: Bmc, id: LogId): Change {
  const log = logs[id]
  const entries = [...bmc.state[log].keys()].map((key) => [key, undefined] as const)
  return { [log]: entries }
}

function factsOf(about: string | About): About {
  return typeof about === 'string' ? { origin: about } : about
}

function additions(
  bmc: Bmc,
  table: (typeof logs)[LogId],
  messages: readonly Message[],
  facts: Omit<LogEntry, 'id' | 'message'>,
): Entries<LogEntry> {
  const log = bmc.state[table]
  const first = nextNumber(bmc, table, messages.length)
  const added = messages.map((message, index): LogEntry => ({
    ...facts,
    id: String(first + index),
    message,
  }))
  const excess = Math.max(0, log.size + added.length - MAX_LOG_RECORDS)
  const dropped = [...log.keys()].slice(0, excess)
  return [
    ...dropped.map((id) => [id, undefined] as const),
    ...added.map((entry) => [entry.id, entry] as const),
  ]
}
