import type { Bmc } from '../bmc/bmc.ts'
import type { Journal, JournalRecord } from '../journal/journal.ts'
import type { Batch } from './occurrence.ts'

/** What waits for one subscriber, as it is sent. */
export interface Waiting {
  readonly body: string
  readonly at: number
}

/** What a subscriber was to be sent: the events under their numbers, and whether some before them were lost. */
export interface KeptOutbox {
  readonly waiting: readonly (readonly [number: string, waiting: Waiting])[]
  readonly hasLost: boolean
}

/** What of a BMC's events outlives the process. */
export interface KeptEvents {
  /** Which run of the service its newest events are named after. */
  readonly run: number | undefined
  /** What happened while the manager was booting, and nobody was told of. */
  readonly held: readonly Batch[]
  /** By the Ids of their subscriptions. */
  readonly outboxes: ReadonlyMap<string, KeptOutbox>
}

/** The names of the journal's tables. */
const OUTBOX = 'outbox'
const HELD = 'heldEvents'
const RUN = 'eventRun'
/** Stands for the number of an event where it is said that some were lost. */
export const LOST = 'lost'

/** Keeps what is to be told of one BMC until it was, beside the commits that it tells of; without a journal nothing. */
export class EventKeeper {
  readonly #journal: Journal | undefined
  readonly #owner: string

  constructor(journal: Journal | undefined, { id }: Bmc) {
    this.#journal = journal
    this.#owner = id
  }

  run(run: number): void {
    this.#write(RUN, '', run)
  }

  held(batch: Batch): void {
    this.#write(HELD, batch.id, batch)
  }

  /** It was told. */
  released(batch: Batch): void {
    this.#write(HELD, batch.id, undefined)
  }

  /** One thing that waits for a subscriber, by its number; `undefined`: it does no longer. */
  waits(subscription: string, number: string, value: Waiting | true | undefined): void {
    this.#write(OUTBOX, `${subscription}/${number}`, value)
  }

  /** Lets go of what nobody is left to be told of. */
  sweep({ held, outboxes }: KeptEvents, subscriptions: ReadonlyMap<string, unknown>): void {
    for (const [id, { waiting, hasLost }] of outboxes) {
      if (subscriptions.has(id)) continue
      for (const [number] of waiting) this.waits(id, number, undefined)
      if (hasLost) this.waits(id, LOST, undefined)
    }
    if (subscriptions.size > 0) return
    for (const batch of held) this.released(batch)
  }

  #write(table: string, key: string, value: unknown): void {
    this.#journal?.write({ owner: this.#owner, table, key, value })
  }
}

/** Reads what a BMC's events left in the journal, in order; of everything else nothing. */
export function keptEvents(records: readonly JournalRecord[]): KeptEvents {
  let run: number | undefined
  const held: Batch[] = []
  const outboxes = new Map<string, { waiting: (readonly [string, Waiting])[]; hasLost: boolean }>()
  // What is read here is what the keeper wrote.
  for (const { table, key, value } of records) {
    if (table === RUN) run = value as number
    else if (table === HELD) held.push(value as Batch)
    else if (table === OUTBOX) {
      const [id = '', number = ''] = key.split('/')
      const outbox = outboxes.get(id) ?? { waiting: [], hasLost: false }
      outboxes.set(id, outbox)
      if (number === LOST) outbox.hasLost = true
      else outbox.waiting.push([number, value as Waiting])
    }
  }
  return { run, held, outboxes }
}
