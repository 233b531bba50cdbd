import type { JsonObject } from '../../../src/redfish/resource.ts'
import { uris } from '../../../src/redfish/uris.ts'
import type { TestEmulator, TestOptions } from '../emulator.ts'
import { untilInstalled } from '../updates.ts'

/** One way for an update to go wrong: a row of the failure matrix, and what it comes to. */
export interface Failure {
  readonly what: string
  readonly options?: TestOptions
  /** Asks for the update, which is accepted, and lets it begin. */
  readonly begin: (emulator: TestEmulator) => Promise<Begun>
  /** What happens then, until nothing more does. */
  readonly until: (emulator: TestEmulator, begun: Begun) => Promise<unknown>
  readonly expected: Expected
}

export interface Begun {
  /** Where its image comes from, as it may be shown. */
  readonly uri?: URL
  readonly accepted?: () => number
}

/** Messages are written as `Base.ResourceMissingAtURI(uri)`, states as `Exception Critical`. */
export interface Expected {
  /** The last of the messages of an update that goes well: what follows is all that is told. */
  readonly after: string
  /** `$URI` and `$PORT` are those of the image. */
  readonly told: readonly string[]
  readonly task: string
  readonly monitor: number
  /** Where the devices' part became a job: its state, what it tells beside what the task told, and each step likewise. */
  readonly job?: Told & { readonly steps: readonly Told[] }
  /** Version, State and Health of components; of the first network adapter as it was, unless given. */
  readonly shown?: Readonly<Record<string, string>>
  /** How many connections the image's server has had. */
  readonly connections?: number
  /** What the manager's log holds. */
  readonly log?: readonly string[]
}

export interface Told {
  readonly state: string
  readonly told: readonly string[]
}

export const unchanged = { 'NIC-1': '22.41.1000 Enabled OK' }

/** The messages of a Task or Job, as they are written here. */
export function messagesOf(body: JsonObject): string[] {
  const { Messages = [] } = body as {
    readonly Messages?: readonly { readonly MessageId: string; readonly MessageArgs: readonly string[] }[]
  }
  return Messages.map(
    ({ MessageId, MessageArgs }) =>
      `${MessageId.replace(/\.\d+\.\d+\./, '.')}${MessageArgs.length > 0 ? `(${MessageArgs.join(', ')})` : ''}`,
  )
}

/** The keys of what the update of one device tells that goes well, until then. */
export function ordinaryUntil(key: string): string[] {
  const all = [...untilInstalled, 'ApplyingOnComponent']
  return all.slice(0, all.indexOf(key) + 1)
}

/** `22.41.1000 Enabled OK`: what the inventory shows of a component. */
export async function shownOf({ get }: TestEmulator, id: string): Promise<string> {
  const { Version, Status } = (await get(uris.firmware(id))) as {
    readonly Version?: string
    readonly Status?: { readonly State: string; readonly Health: string }
  }
  return `${Version} ${Status?.State} ${Status?.Health}`
}
