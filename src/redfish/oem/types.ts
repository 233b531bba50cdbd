import { uris } from '../uris.ts'

/** A schema of our own: its main type is called as it is, as DMTF's are. */
export interface OemSchema {
  readonly name: string
  readonly version: string
  /** What the main type derives from: a resource, or an object that stands in the `Oem` of one. */
  readonly kind: 'resource' | 'part'
  /** Where resources of the type are, with the parameters in braces. */
  readonly uris?: readonly string[]
  readonly main: OemType
  /** Objects within the main type, by the name of their type. */
  readonly objects?: Readonly<Record<string, OemType>>
  readonly actions?: Readonly<Record<string, OemAction>>
}

/** An action that stands in `Actions.Oem` of a resource. */
export interface OemAction {
  readonly description: string
  /** The standard type of that resource. */
  readonly of: string
  readonly parameters: Readonly<Record<string, Omit<OemProperty, 'shape'> & { readonly shape: OemValue }>>
}

export interface OemType {
  readonly description: string
  readonly properties: Readonly<Record<string, OemProperty>>
}

/** How a device comes out of a roll-out. */
export const rollOutDeviceEnds = [
  'Succeeded',
  'Failed',
  'TimedOut',
  'Skipped',
  'Cancelled',
  'RolledBack',
  'RollbackFailed',
] as const

/** What becomes of a device in a roll-out. */
export const rollOutDeviceStates = [
  'Pending',
  /** It has met a closed window, and waits still. */
  'WaitingForWindow',
  'WaitingForRetry',
  'Flashing',
  'WaitingForRollBack',
  'RollingBack',
  ...rollOutDeviceEnds,
] as const

/** Clients change none of them, and none is null: what is not known is not there. */
export interface OemProperty {
  readonly description: string
  readonly shape: Shape
  readonly isArray?: true
  readonly isRequired?: true
}

/** What needs no other type. */
type OemValue =
  | { readonly kind: 'text'; readonly pattern?: string }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'count' }
  | { readonly kind: 'time' }
  /** An object whose members are told elsewhere. */
  | { readonly kind: 'open' }

export type Shape =
  | OemValue
  /** To a resource of one of our types, or to anything (`Resource.Item`). */
  | { readonly kind: 'link'; readonly to: string }
  | { readonly kind: 'object'; readonly of: string }

/** By what the schemas say that they are ours, and the member of `Oem` that holds our parts. */
export const OEM = 'Redflash'

const text = { kind: 'text' } as const
const flag = { kind: 'boolean' } as const
const count = { kind: 'count' } as const
const time = { kind: 'time' } as const

export const oemSchemas: readonly OemSchema[] = [
  {
    name: 'RedflashSoftwareHistory',
    version: 'v1_0_0',
    kind: 'resource',
    uris: [uris.firmwareHistory('{SoftwareInventoryId}')],
    main: {
      description: 'The versions that ran on a component, up to the one that runs.',
      properties: {
        Versions: {
          description: 'The versions, the newest last. Where there are too many, the oldest are not kept.',
          shape: { kind: 'object', of: 'InstalledVersion' },
          isArray: true,
          isRequired: true,
        },
      },
    },
    objects: {
      InstalledVersion: {
        description:
          'One version, and how it came here. The version that left the factory came from no image.',
        properties: {
          Version: { description: 'The version.', shape: text, isRequired: true },
          ReleaseDate: { description: 'When the version was released.', shape: time },
          ActivatedTime: { description: 'When the version began to run.', shape: time },
          ImageName: { description: 'What messages call the image.', shape: text },
          ImageSHA256: {
            description: "The SHA-256 digest of the component's bytes in the image, in hexadecimal.",
            shape: { kind: 'text', pattern: '^[0-9a-f]{64}$' },
          },
          Signer: { description: 'Whose signature vouched for the image.', shape: text },
          Username: { description: 'Who asked for the update.', shape: text },
          OriginAddress: { description: 'From where the update was asked for.', shape: text },
          RelatedItem: {
            description: 'The tasks and jobs that did the update, as long as they are kept.',
            shape: { kind: 'link', to: 'Resource.Item' },
            isArray: true,
          },
        },
      },
    },
  },
  {
    name: 'RedflashSoftwareInventory',
    version: 'v1_0_0',
    kind: 'part',
    main: {
      description: 'What a software inventory item has beside its standard properties.',
      properties: {
        History: {
          description: 'The versions that ran on the component.',
          shape: { kind: 'link', to: 'RedflashSoftwareHistory.RedflashSoftwareHistory' },
        },
      },
    },
  },
  {
    name: 'RedflashUpdateService',
    version: 'v1_0_0',
    kind: 'part',
    main: {
      description: 'What the update service has beside its standard properties.',
      properties: {
        TrustAnchors: {
          description: 'The certificates of those who sign images, or certify those who do.',
          shape: { kind: 'link', to: 'CertificateCollection.CertificateCollection' },
        },
      },
    },
    actions: {
      SimpleUpdate: {
        description: 'SimpleUpdate of the update service, which may be asked for more.',
        of: 'UpdateService',
        parameters: {
          ImageURI: { description: 'Where the image is.', shape: text, isRequired: true },
          TransferProtocol: { description: 'How it is fetched.', shape: text },
          Targets: { description: 'What it is for.', shape: text, isArray: true },
          ExcludeTargets: { description: 'What it is not for.', shape: text, isArray: true },
          Username: { description: 'Who fetches it.', shape: text },
          Password: { description: 'The password of who fetches it.', shape: text },
          ForceUpdate: { description: 'Whether policies that can be bypassed are.', shape: flag },
          Stage: { description: 'Whether it is to wait for its activation.', shape: flag },
          LocalImage: { description: 'Whether it is to be kept.', shape: flag },
          DryRun: { description: 'Whether only to tell what would be done.', shape: flag },
          ImageSHA256: {
            description: 'The SHA-256 digest that the image must have, in hexadecimal.',
            shape: { kind: 'text', pattern: '^[0-9A-Fa-f]{64}$' },
          },
          RollOut: {
            description: 'The plan by which a console brings the image to many devices, in waves.',
            shape: { kind: 'open' },
          },
        },
      },
    },
  },
  {
    name: 'RedflashComputerSystem',
    version: 'v1_0_0',
    kind: 'part',
    main: {
      description: 'What a system has beside its standard properties.',
      properties: {
        WakeTimes: {
          description: 'When the system switches itself on next, by its own clock.',
          shape: time,
          isArray: true,
        },
      },
    },
    actions: {
      WakeAt: {
        description: 'Has the system switch itself on later, by its own clock.',
        of: 'ComputerSystem',
        parameters: {
          Time: { description: 'When; to the second.', shape: time, isRequired: true },
        },
      },
      CancelWake: {
        description: 'Has the system not switch itself on at one of its WakeTimes.',
        of: 'ComputerSystem',
        parameters: {
          Time: { description: 'Which of them; to the second.', shape: time, isRequired: true },
        },
      },
    },
  },
  {
    name: 'RedflashManager',
    version: 'v1_0_0',
    kind: 'part',
    main: { description: 'What a manager has beside its standard properties.', properties: {} },
    actions: {
      RequestUserConsent: {
        description: 'Shows a code on the screen of the device, for its user to read out.',
        of: 'Manager',
        parameters: {},
      },
      SendUserConsent: {
        description: 'Proves by that code that the user consents to what is about to be done.',
        of: 'Manager',
        parameters: {
          Code: {
            description: 'The code as the user has read it.',
            shape: { kind: 'text', pattern: '^[0-9]{6}$' },
            isRequired: true,
          },
        },
      },
    },
  },
  {
    name: 'RedflashMetricValue',
    version: 'v1_0_0',
    kind: 'part',
    main: {
      description: 'What a metric value is about, where its metric has several.',
      properties: {
        State: { description: 'The state of the devices that are counted.', shape: text },
        Stage: { description: 'The stage at which the updates failed that are counted.', shape: text },
        MessageId: {
          description: 'The message with which the updates failed that are counted, by registry and key.',
          shape: text,
        },
        Component: {
          description: 'What one of the devices calls the firmware that is counted.',
          shape: text,
        },
        SoftwareId: { description: 'What images name the firmware by that is counted.', shape: text },
        Version: { description: 'The version of the firmware that is counted.', shape: text },
      },
    },
  },
  {
    name: 'RedflashJob',
    version: 'v1_0_0',
    kind: 'part',
    main: {
      description:
        'What the job of a roll-out, of one of its waves, or of a request to devices has beside its standard properties.',
      properties: {
        State: { description: 'What the roll-out, the wave, or the device in it, does.', shape: text },
        Action: { description: 'What the request asks devices for.', shape: text },
        Devices: {
          description: 'How many devices are in which state.',
          shape: { kind: 'object', of: 'Devices' },
        },
        ApprovedBy: { description: 'Who let the wave begin.', shape: text },
        History: {
          description: 'When the roll-out, or the wave, came to which state, the newest last.',
          shape: { kind: 'object', of: 'Moment' },
          isArray: true,
        },
        Attempts: {
          description: 'What was done at the device, the newest last.',
          shape: { kind: 'object', of: 'Attempt' },
          isArray: true,
        },
        MetricReport: {
          description: 'What a roll-out adds up to.',
          shape: { kind: 'link', to: 'MetricReport.MetricReport' },
        },
      },
    },
    objects: {
      Devices: {
        description: 'How many devices are in which state. A state that is not there is that of none.',
        properties: Object.fromEntries(
          [...rollOutDeviceStates, 'Running'].map((state) => [
            state,
            { description: `Devices that are ${state}.`, shape: count },
          ]),
        ),
      },
      Moment: {
        description: 'A state, and when it began.',
        properties: {
          State: { description: 'The state.', shape: text, isRequired: true },
          Time: { description: 'When it began.', shape: time, isRequired: true },
        },
      },
      Attempt: {
        description: 'An update of the device, or a roll-back, that has ended.',
        properties: {
          Kind: { description: '`Update` or `RollBack`.', shape: text, isRequired: true },
          StartTime: { description: 'When it began.', shape: time, isRequired: true },
          EndTime: { description: 'When it ended.', shape: time, isRequired: true },
          Result: {
            description: '`Succeeded`, `Failed`, `Cancelled` or `TimedOut`.',
            shape: text,
            isRequired: true,
          },
          Stage: { description: 'The stage at which it failed.', shape: text },
          Bytes: { description: 'How many bytes of an image were sent to the device.', shape: count },
        },
      },
    },
    actions: {
      AddDevices: {
        description: 'Adds devices to a roll-out that goes on.',
        of: 'Job',
        parameters: {
          Targets: {
            description: 'The devices, or groups of them.',
            shape: text,
            isArray: true,
            isRequired: true,
          },
        },
      },
      RetryFailed: {
        description: 'Updates those devices once more whose update failed.',
        of: 'Job',
        parameters: {
          Targets: { description: 'Which of them; all unless given.', shape: text, isArray: true },
        },
      },
      RollBack: {
        description: 'Brings devices back to the version of before, where an image of it is kept.',
        of: 'Job',
        parameters: {
          Targets: { description: 'Which of them; all unless given.', shape: text, isArray: true },
        },
      },
    },
  },
]

/** The namespace of the present version, by which its JSON schema is called, too. */
export function namespaceOf({ name, version }: OemSchema): string {
  return `${name}.${version}`
}
