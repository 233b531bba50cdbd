import { type FailedStatus, updateStatuses } from '../firmware.ts'

/** What a simulated device is like. */
export interface AgentTraits {
  /** What it runs when it is new. */
  readonly firmwareVersion: string
  /** For how long it asks to be managed; 0 is for ever. */
  readonly lifetimeSeconds: number
  /** How fast it takes an image, at most. */
  readonly bytesPerSecond: number
  /** The largest image that it has room for. */
  readonly capacityBytes: number
  readonly verifyMs: number
  readonly installMs: number
  readonly bootMs: number
  readonly failure?: Failure | undefined
  readonly quirks: ReadonlySet<Quirk>
}

export type Failure = keyof typeof failures

/** What can go wrong on purpose, in which action, and the status that tells it. */
export const failures = {
  'out-of-memory': { during: 'download', status: updateStatuses.outOfMemory },
  'connection-lost': { during: 'download', status: updateStatuses.connectionLost },
  'verification-failed': { during: 'download', status: updateStatuses.verificationFailed },
  'invalid-uri': { during: 'download', status: updateStatuses.invalidUri },
  'out-of-memory-installing': { during: 'update', status: updateStatuses.outOfMemory },
  'unsupported-image': { during: 'update', status: updateStatuses.unsupportedImage },
} as const satisfies Readonly<
  Record<string, { readonly during: 'download' | 'update'; readonly status: FailedStatus }>
>

/** What IBM's SDK for Python does otherwise than its documents say. */
export const quirks = {
  'acts-when-refusing': 'answers 400 in a wrong state, and does what it was asked for all the same',
  'forces-idle': 'sets the state to 0 with every status: it installs at state 0, status 1',
  overwrites: 'takes a new description while it works',
  'dumb-undescribed': 'says nothing when it is asked before anybody described an image',
  'omits-values': 'does not say what the attributes are when it is asked to observe them',
  'omits-request-ids': 'asks for no answer to its notifications',
  'tells-unasked': 'notifies whether or not anybody observes',
} as const
export type Quirk = keyof typeof quirks

export const allQuirks: ReadonlySet<Quirk> = new Set(Object.keys(quirks) as Quirk[]) // of a value of these keys alone
