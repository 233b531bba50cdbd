import type { DevicePlans } from '../faults/plan.ts'
import type { Speed } from '../lib/clock.ts'
import { type TSchema, Type } from '../lib/schema.ts'

export const DEFAULT_PASSWORD = 'redflash'
const SPEED = /^(max|\d*[1-9]\d*(\.\d+)?|0?\.\d*[1-9]\d*)$/

export interface Setting {
  readonly schema: TSchema
  readonly default: unknown
  /** What stands for the value in the command line's help; switches have none. */
  readonly placeholder?: string
  readonly help: string
  /** What would be right, for the one who got it wrong. */
  readonly expected: string
}

export const choice = <const T extends string>(...values: T[]) => ({
  // Without a type: one mistake is told once.
  schema: Type.Unsafe<T>({ enum: values }),
  expected: `one of ${values.join(', ')}`,
})

/** What may be otherwise in each group of a fleet: settings of the service, and members of a group. */
export const bmcSettings = {
  user: {
    schema: Type.String({ pattern: '^[^:]+$' }),
    default: 'admin',
    placeholder: 'name',
    help: 'name of the administrator',
    expected: 'a name without a colon',
  },
  password: {
    schema: Type.String({ minLength: 1 }),
    default: DEFAULT_PASSWORD,
    placeholder: 'password',
    help: 'password of the administrator',
    expected: 'a password that is not empty',
  },
  machine: {
    schema: Type.String({ minLength: 1 }),
    default: 'rackmount',
    placeholder: 'name|folder',
    help: 'machine to emulate: rackmount, bladed, or a folder with a mockup',
    expected: 'rackmount, bladed or a folder',
  },
  profile: {
    schema: Type.String(),
    default: '',
    placeholder: 'name',
    help: 'rules of a real update service for the machine: lenovo-xcc3',
    expected: 'lenovo-xcc3, or nothing',
  },
  awaitReset: {
    ...choice('machine', 'job', 'completed', 'pending'),
    default: 'machine',
    placeholder: 'shape',
    help: 'how an update that waits for a reset is shown: a job, a task that has completed, a task that is pending',
  },
  startUpdate: {
    ...choice('machine', 'own-task', 'waiting-tasks'),
    default: 'machine',
    placeholder: 'shape',
    help: 'what StartUpdate starts: a task of its own, or the tasks that wait',
  },
  devices: {
    // Judged with the machine at hand: it says which devices there are.
    schema: Type.Unsafe<string | DevicePlans>({ type: ['string', 'object'] }),
    default: '',
    placeholder: 'file',
    help: 'JSON file of what is to go wrong with devices',
    expected: 'a file name, or an object with components',
  },
  speed: {
    schema: Type.Unsafe<string | number>({
      type: ['string', 'number'],
      pattern: SPEED.source,
      exclusiveMinimum: 0,
    }),
    default: '1',
    placeholder: 'n|max',
    help: 'how much faster than real time devices work; max does not wait',
    expected: 'a number above 0, or max',
  },
  trust: {
    schema: Type.String(),
    default: '',
    placeholder: 'folder',
    help: 'whose signed images are trusted: certificates, their revocation lists, public keys, revoked digests',
    expected: 'a folder',
  },
  unsignedImages: {
    ...choice('machine', 'refuse', 'warn', 'accept'),
    default: 'machine',
    placeholder: 'policy',
    help: 'what becomes of an image that nobody signed',
  },
} as const satisfies Readonly<Record<string, Setting>>

/** What the setting `speed` means. */
export function parseSpeed(speed: string | number): Speed {
  return speed === 'max' ? 'max' : Number(speed)
}
