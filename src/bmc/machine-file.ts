import { type Static, Type } from '../lib/schema.ts'
import { judge, type Mistake } from '../redfish/validation.ts'
import { Faults } from './device-faults.ts'
import { GivenRules } from './update-rules.ts'

const AwaitReset = Type.Union([Type.Literal('job'), Type.Literal('completed'), Type.Literal('pending')])
const Milliseconds = Type.Number({ minimum: 0 })
const closed = { additionalProperties: false }

const HEX = '^([0-9A-Fa-f]{2})+$'
const GUID = '^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$'

/** By what images of other people's formats know a component. */
const Identity = Type.Object(
  {
    /** PLDM (DSP0267): what the device says of itself, and the component within it. */
    pldm: Type.Optional(
      Type.Object(
        {
          descriptors: Type.Array(
            Type.Object(
              { type: Type.Integer({ minimum: 0, maximum: 0xffff }), data: Type.String({ pattern: HEX }) },
              closed,
            ),
            { minItems: 1 },
          ),
          classification: Type.Integer({ minimum: 0, maximum: 0xffff }),
          identifier: Type.Integer({ minimum: 0, maximum: 0xffff }),
          comparisonStamp: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xffffffff })),
        },
        closed,
      ),
    ),
    /** An FMP image of a UEFI capsule. */
    capsule: Type.Optional(
      Type.Object(
        {
          imageTypeId: Type.String({ pattern: GUID }),
          hardwareInstance: Type.Optional(Type.Integer({ minimum: 0 })),
          /** How the vendor writes the 32 bits that are its version; four numbers unless given. */
          versionFormat: Type.Optional(
            Type.Union([
              Type.Literal('quad'),
              Type.Literal('triplet'),
              Type.Literal('pair'),
              Type.Literal('plain'),
            ]),
          ),
        },
        closed,
      ),
    ),
    /** An OpenBMC tarball: what its MANIFEST says. */
    openbmc: Type.Optional(
      Type.Object(
        { machineName: Type.String({ minLength: 1 }), purpose: Type.String({ minLength: 1 }) },
        closed,
      ),
    ),
    /** Bytes of no format, where a request names the component: a regular expression whose first group is the version. */
    raw: Type.Optional(Type.Object({ version: Type.String({ minLength: 1, format: 'regex' }) }, closed)),
  },
  closed,
)

/** What a machine's update service makes of signatures. */
const TrustRules = Type.Object(
  {
    /** What becomes of an image that nobody vouches for. */
    unsigned: Type.Optional(
      Type.Union([Type.Literal('refuse'), Type.Literal('warn'), Type.Literal('accept')]),
    ),
    /** SHA-256 digests of images, or of components in them, that are not to run any more. */
    revokedDigests: Type.Optional(Type.Array(Type.String({ pattern: '^[0-9a-f]{64}$' }))),
  },
  closed,
)

const Behaviour = Type.Object(
  {
    /** How fast the device takes an image. */
    bandwidthBytesPerSecond: Type.Number({ exclusiveMinimum: 0 }),
    verifyMs: Milliseconds,
    installMs: Milliseconds,
    activateMs: Milliseconds,
    /** Size of the flash region: a larger image is refused. */
    capacityBytes: Type.Number({ exclusiveMinimum: 0 }),
    /** Left alone unless a request names it (the backup of an A/B pair). */
    onlyWhenNamed: Type.Optional(Type.Boolean()),
    /** The reset that activates what was installed; without it, activation follows by itself. */
    reset: Type.Optional(Type.Object({ resource: Type.String(), type: Type.String() }, closed)),
    /** Who writes the image: software of the host does it after a boot (DSP2062 §3). */
    installer: Type.Optional(
      Type.Union([Type.Literal('bmc'), Type.Literal('device'), Type.Literal('software')]),
    ),
    /** Where an image can wait beside the one that runs: a staging area, or a second bank, which keeps the old one. */
    spare: Type.Optional(Type.Union([Type.Literal('staging'), Type.Literal('bank')])),
    /** The component that runs when this one does not boot (the other of an A/B pair). */
    backup: Type.Optional(Type.String()),
    /** What becomes of its update when the manager that serves Redfish is reset meanwhile; it fails, unless given. */
    onManagerReset: Type.Optional(
      Type.Union([Type.Literal('fails'), Type.Literal('goes-on'), Type.Literal('starts-again')]),
    ),
    /** The image that it falls back to when it was damaged; without it, nothing runs until the next update. */
    recovery: Type.Optional(Type.Object({ version: Type.String() }, closed)),
    /** Components that are written first where one update is for both. */
    after: Type.Optional(Type.Array(Type.String())),
    identity: Type.Optional(Identity),
    /** The ComponentIntegrity that measures what runs on it; a component and its backup have the same. */
    measuredBy: Type.Optional(Type.String()),
    /** That of the image that the machine left the factory with: no lower one is ever installed. */
    securityVersion: Type.Optional(Type.Integer({ minimum: 0 })),
    /** The system without whose power the device is dead. */
    needsPowerOf: Type.Optional(Type.String()),
    /** What goes wrong with it on purpose. */
    // Judged apart, where there is any: its schema is large, and every start would wait for it.
    fail: Type.Optional(Type.Unsafe<Static<typeof Faults>>({})),
    /** Where else in the machine the component's version is shown. */
    shownBy: Type.Optional(
      Type.Array(Type.Object({ resource: Type.String(), pointer: Type.String() }, closed)),
    ),
  },
  closed,
)

const SystemTimes = Type.Object({ shutdownMs: Milliseconds, bootMs: Milliseconds }, closed)

/** What `machine.json` may say: docs/machines.md tells all of it. */
export const MachineFile = Type.Object(
  {
    manager: Type.String(),
    maxParallelUploads: Type.Integer({ minimum: 1 }),
    /** How many devices are written at once; all, unless given. */
    maxParallelFlashes: Type.Optional(Type.Integer({ minimum: 1 })),
    /** How a wait for a reset is shown: a job that waits, a task that has ended, a task that waits. */
    awaitReset: Type.Optional(AwaitReset),
    /** What StartUpdate starts: a task of its own, or the tasks that wait, as parts of one. */
    startUpdate: Type.Optional(Type.Union([Type.Literal('own-task'), Type.Literal('waiting-tasks')])),
    /** Whether it is a console's: devices are attached to it, which are given images of which nothing is known here. */
    managesDevices: Type.Optional(Type.Boolean()),
    maintenanceWindow: Type.Optional(
      Type.Object(
        { start: Type.String({ format: 'date-time' }), durationS: Type.Integer({ minimum: 0 }) },
        closed,
      ),
    ),
    /** What its update service asks of clients beyond the protocol. */
    updateRules: Type.Optional(GivenRules),
    trust: Type.Optional(TrustRules),
    outage: Type.Object(
      { kind: Type.Union([Type.Literal('refuse'), Type.Literal('unavailable')]), bootMs: Milliseconds },
      closed,
    ),
    systems: Type.Record(Type.String(), SystemTimes),
    components: Type.Record(Type.String(), Behaviour),
  },
  closed,
)

export type DeviceBehaviour = Static<typeof Behaviour>
export type MachineData = Static<typeof MachineFile>
const judgeMachineFile = judge(MachineFile)
const judgeFaults = judge(Faults)

/** What the file says. Throws an Error that lists everything wrong with it. */
export function readMachineFile(name: string, file: unknown): MachineData {
  const judged = judgeMachineFile(file)
  const mistakes = judged.ok ? faultMistakes(judged.value) : judged.problem
  if (judged.ok && mistakes.length === 0) return judged.value
  const lines = mistakes.map(({ pointer, kind, expected }) => `  ${pointer}: ${kind}, expected ${expected}`)
  throw new Error(`machine ${name}: machine.json is wrong:\n${lines.join('\n')}`)
}

function faultMistakes({ components }: MachineData): readonly Mistake[] {
  return Object.entries(components).flatMap(([id, { fail }]) => {
    const judged = fail === undefined ? undefined : judgeFaults(fail)
    if (judged?.ok !== false) return []
    return judged.problem.map((one) => ({ ...one, pointer: `/components/${id}/fail${one.pointer}` }))
  })
}
