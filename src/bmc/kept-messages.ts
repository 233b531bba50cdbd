import type { JournalRecord } from '../journal/journal.ts'
import type { Message } from '../redfish/messages/message.ts'

/** Where messages are kept that are not with their record. */
const MESSAGES = 'messages'
/** So many are kept together. */
const CHUNK = 100

interface Told {
  readonly messages: readonly Message[]
}

/** A record as it is kept: with its last messages, and how many chunks of earlier ones there are. */
interface KeptTold extends Told {
  readonly earlier?: number
}

type Write = (table: string, key: string, value: unknown) => void

/** A record as it was and as it is, of which there are messages. */
export interface ToldPair {
  readonly now: Told | undefined
  readonly was: Told | undefined
}

/**
 * The work of an update of thousands of devices tells tens of thousands of messages, one after the other: what fills a
 * chunk is kept once, on its own, and the record only with what came after it.
 */
export function keepMessages(write: Write): (table: string, key: string, pair: ToldPair) => unknown {
  /** The last message of each chunk that is kept, of the records that have some. */
  const known = new Map<string, readonly (Message | undefined)[]>()
  return (table, key, { now, was }) => {
    const id = `${table}/${key}`
    const messages = now?.messages ?? []
    const lasts = known.get(id) ?? []
    const count = Math.floor(messages.length / CHUNK)
    const before = Math.max(lasts.length, Math.floor((was?.messages.length ?? 0) / CHUNK))
    if (count === 0 && before === 0) return now
    const ends = Array.from({ length: count }, (_, at) => messages[(at + 1) * CHUNK - 1])
    for (const [at, last] of ends.entries())
      if (lasts[at] !== last) write(MESSAGES, `${id}/${at}`, messages.slice(at * CHUNK, (at + 1) * CHUNK))
    for (let at = count; at < before; at++) write(MESSAGES, `${id}/${at}`, undefined)
    if (count > 0) known.set(id, ends)
    else known.delete(id)
    return now && { ...now, messages: messages.slice(count * CHUNK), ...(count > 0 && { earlier: count }) }
  }
}

/** Records as they were before their messages were kept apart. */
export function withMessages(records: readonly JournalRecord[]): (record: JournalRecord) => unknown {
  // What is read here is what `keepMessages` wrote.
  const chunks = new Map(
    records.flatMap(({ table, key, value }) =>
      table === MESSAGES ? [[key, value as readonly Message[]] as const] : [],
    ),
  )
  return ({ table, key, value }) => {
    const { earlier = 0, messages, ...record } = value as KeptTold
    if (earlier === 0) return value
    const first = Array.from({ length: earlier }, (_, at) => chunks.get(`${table}/${key}/${at}`) ?? [])
    return { ...record, messages: [...first.flat(), ...messages] }
  }
}
