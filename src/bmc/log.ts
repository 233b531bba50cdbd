import type { Message } from '../redfish/messages/message.ts'
import { AUDIT_LOG, JOB_LOG, LOG } from '../redfish/uris.ts'
import type { Bmc } from './bmc.ts'
import { nextNumber } from './numbers.ts'
import type { BmcState, Cause, Change, Entries, LogEntry, Notice } from './state.ts'

/** How many entries most logs hold. */
export const MAX_LOG_RECORDS = 1_000
/** A roll-out to thousands of devices is to be seen whole: who updated what, each with a second attempt or a roll-back. */
const CONSOLE_AUDIT_RECORDS = 10_000

/** Each log by its Id, as the state and a change name it. */
export const logs = {
  [LOG]: 'log',
  [AUDIT_LOG]: 'auditLog',
  [JOB_LOG]: 'jobLog',
} as const satisfies Record<string, keyof BmcState>
export type LogId = keyof typeof logs

/** MaxNumberOfRecords of a log; the oldest entry gives way (OverWritePolicy WrapsWhenFull). */
export function maxRecords({ machine }: Bmc, log: (typeof logs)[LogId]): number {
  return log === 'auditLog' && machine.managesDevices ? CONSOLE_AUDIT_RECORDS : MAX_LOG_RECORDS
}

/** The resource that entries are about, and what they come of. */
export type About = Cause & Pick<LogEntry, 'origin'>

/** One entry to be, with what it is about. */
export interface Line {
  readonly about: About
  readonly message: Message
}

/** The change that adds messages to the BMC's log, to be committed with what it reports. */
export function logged(
  bmc: Bmc,
  now: number,
  about: string | About,
  messages: readonly Message[],
): Pick<Change, 'log'> {
  return { log: entered(bmc, 'log', now, linesOf(about, messages)) }
}

/** The change that adds what observers are told of to the BMC's log, to be committed with it. */
export function noted(
  bmc: Bmc,
  now: number,
  notices: readonly Notice[],
  cause: Cause = {},
): Pick<Change, 'log'> {
  const lines = notices.map(({ message, origin }) => ({ about: { ...cause, origin }, message }))
  return { log: entered(bmc, 'log', now, lines) }
}

/** The change that adds what somebody did, or was refused, to the BMC's audit log. */
export function audited(
  bmc: Bmc,
  now: number,
  about: string | About,
  messages: readonly Message[],
): Pick<Change, 'auditLog'> {
  return { auditLog: entered(bmc, 'auditLog', now, linesOf(about, messages)) }
}

/** The change that adds what became of a job to the job service's log. */
export function jobLogged(
  bmc: Bmc,
  now: number,
  about: string | About,
  messages: readonly Message[],
): Pick<Change, 'jobLog'> {
  return { jobLog: entered(bmc, 'jobLog', now, linesOf(about, messages)) }
}

/** The change that empties a log. */
export function cleared(bmc: Bmc, id: LogId): Change {
  const log = logs[id]
  const entries = [...bmc.state[log].keys()].map((key) => [key, undefined] as const)
  return { [log]: entries }
}

function linesOf(about: string | About, messages: readonly Message[]): Line[] {
  const facts = typeof about === 'string' ? { origin: about } : about
  return messages.map((message) => ({ about: facts, message }))
}

/** The entries that add these lines to a log, and take the oldest away where there are too many. */
export function entered(
  bmc: Bmc,
  table: (typeof logs)[LogId],
  now: number,
  lines: readonly Line[],
): Entries<LogEntry> {
  const log = bmc.state[table]
  const most = maxRecords(bmc, table)
  const first = nextNumber(bmc, table, lines.length)
  const added = lines
    .map(({ about, message }, index) => ({ ...about, id: String(first + index), created: now, message }))
    .slice(-most)
  const excess = Math.max(0, log.size + added.length - most)
  return [
    ...oldest(log, excess).map((id) => [id, undefined] as const),
    ...added.map((entry) => [entry.id, entry] as const),
  ]
}

function oldest(log: ReadonlyMap<string, LogEntry>, count: number): string[] {
  const ids: string[] = []
  for (const id of log.keys()) {
    if (ids.length === count) break
    ids.push(id)
  }
  return ids
}
