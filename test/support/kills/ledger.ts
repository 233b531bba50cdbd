import type { JsonObject } from '../../../src/redfish/resource.ts'

/** What a resource is known to say, and the password that opens an account; `undefined`: it is not there. */
export type Fact = { readonly members: JsonObject; readonly password?: string } | undefined

/** A task or a job as it was told last. */
export interface Told {
  readonly state: string
  readonly percent: number
  readonly messages: readonly string[]
  readonly endTime: unknown
}

/** What runs on a component, and what ran there, as it was told last. */
export interface Runs {
  readonly version: string
  readonly history: readonly string[]
}

const FINAL = ['Completed', 'Exception', 'Cancelled']

export function isFinal({ state }: Told): boolean {
  return FINAL.includes(state)
}

/** All that clients of one BMC were told, which must hold whatever becomes of the process. */
export class Ledger {
  /** By URI, each of the things that may be true: more than one where a request was not answered. */
  readonly facts = new Map<string, readonly Fact[]>()
  readonly works = new Map<string, Told>()
  /** What somebody asked to be removed. */
  readonly mayBeGone = new Set<string>()
  /** Every URI of what was ever made. */
  readonly given = new Set<string>()
  /** What subscriptions and accounts that nobody was told of may be called. */
  readonly asked = new Set<string>()
  /** Images that are kept, by URI: their SHA-256, once somebody looked. */
  readonly images = new Map<string, string | undefined>()
  readonly runs = new Map<string, Runs>()
  readonly tokens = new Set<string>()
  /** The newest entry of the log. */
  lastEntry = 0
  /** Tasks that a subscriber must be told of: its URI, where it listens, and the task. */
  readonly owed: { readonly subscription: string; readonly path: string; readonly task: string }[] = []

  /** What a change made of something: for sure where it was answered, and perhaps where it was not. */
  changed(uri: string, fact: Fact, isAnswered: boolean): void {
    const before = this.facts.get(uri) ?? [undefined]
    this.facts.set(uri, isAnswered ? [fact] : [...before, fact])
  }

  /** What is certain about a resource. */
  fact(uri: string): Fact {
    const facts = this.facts.get(uri) ?? []
    return facts.length === 1 ? facts[0] : undefined
  }

  /** The resources below a URI that are there for certain. */
  known(parent: string): string[] {
    return [...this.facts.keys()].filter(
      (uri) => uri.startsWith(`${parent}/`) && this.fact(uri) !== undefined,
    )
  }

  /** Something was made: nothing else ever has its URI. */
  made(uri: string): string[] {
    const isNew = !this.given.has(uri)
    this.given.add(uri)
    return isNew ? [] : [`${uri} was given twice`]
  }
}

/** Compares work with what was told of it before. */
export function judgeWork(uri: string, was: Told | undefined, now: Told): string[] {
  if (was === undefined) return []
  const kept = was.messages.every((said, index) => now.messages[index] === said)
  const wrong = [
    ...(kept ? [] : [`${uri} unsaid ${was.messages.join()}: ${now.messages.join()}`]),
    ...(now.percent < was.percent ? [`${uri} went from ${was.percent} to ${now.percent} percent`] : []),
    ...(now.state === 'New' && was.state !== 'New' ? [`${uri} went from ${was.state} to New`] : []),
  ]
  const isSame = JSON.stringify(was) === JSON.stringify(now)
  return isFinal(was) && !isSame
    ? [...wrong, `${uri} ended as ${was.state}, and goes on as ${now.state}`]
    : wrong
}

/** Whether a resource says what it should; text says what it says otherwise. */
export function differs(uri: string, { members }: Exclude<Fact, undefined>, found: JsonObject): string[] {
  return Object.entries(members).flatMap(([name, value]) =>
    JSON.stringify(found[name]) === JSON.stringify(value)
      ? []
      : [`${uri}: ${name} is ${JSON.stringify(found[name])}, not ${JSON.stringify(value)}`],
  )
}

/** What a resource says, as text. */
export function textOf(resource: JsonObject, name: string): string {
  const value = resource[name]
  return typeof value === 'string' ? value : JSON.stringify(value ?? null)
}

export function idOf(resource: JsonObject): string {
  return textOf(resource, '@odata.id')
}
