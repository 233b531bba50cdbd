import type { Defect } from './builder.ts'
import type { Package, PackageComponent, PackageDevice } from './pldm-header.ts'

/** What is wrong with a package, and how it comes to be. */
export interface PldmDefect extends Defect {
  /** The header version that has what is broken, where not all have. */
  readonly version?: string
  readonly change?: (whole: Package) => Package
  readonly trailer?: string
  readonly isCut?: true
}

const malformed = ['Update.VerificationFailed', 'Redflash.ImageMalformed'] as const

export const defects: Readonly<Record<string, PldmDefect>> = {
  checksum: {
    what: 'the header has another checksum than it says',
    messages: malformed,
    change: (whole) => ({ ...whole, off: { headerChecksum: 1 } }),
  },
  'payload-checksum': {
    what: 'the components have another checksum than the header says',
    messages: ['Update.VerificationFailed', 'Redflash.ImageDigestMismatch'],
    version: '1.3',
    change: (whole) => ({ ...whole, payloadChecksum: whole.payloadChecksum ^ 1 }),
  },
  truncate: { what: 'the last byte is missing', messages: malformed, isCut: true },
  trailing: { what: 'what follows the components is no signature', messages: malformed, trailer: 'more' },
  descriptor: {
    what: 'the descriptors are those of a device that nobody has',
    messages: ['Update.NoTargetsDetermined'],
    change: forDevices({ descriptors: [{ type: 2, data: 'f'.repeat(32) }] }),
  },
  'descriptor-length': {
    what: 'a descriptor is shorter than its type says',
    messages: malformed,
    change: forDevices({ descriptors: [{ type: 2, data: 'ff' }] }),
  },
  identifier: {
    what: 'the devices have no such components',
    messages: ['Update.NoTargetsDetermined'],
    change: forComponents(({ identifier }) => ({ identifier: identifier ^ 0x8000 })),
  },
  bitmap: {
    what: 'a device takes a component that is not there',
    messages: malformed,
    change: (whole) => forDevices({ takes: [whole.components.length] })(whole),
  },
  'record-length': {
    what: 'a device record is longer than what it holds',
    messages: malformed,
    change: forDevices({ off: 1 }),
  },
  'string-type': {
    what: 'a version is a text of an unknown type',
    messages: malformed,
    change: forComponents(() => ({ versionType: 9 })),
  },
  count: {
    what: 'there are fewer components than the header says',
    messages: malformed,
    change: (whole) => ({ ...whole, off: { componentCount: 1 } }),
  },
  offset: {
    what: 'a component begins behind the end',
    messages: malformed,
    change: forComponents(({ sizeBytes, offset }) => ({ offset: offset + sizeBytes + 1 })),
  },
  overlap: {
    what: 'a component begins within the header',
    messages: malformed,
    change: forComponents(() => ({ offset: -1 })),
  },
  size: {
    what: 'a component is larger than what came of it',
    messages: malformed,
    change: forComponents(({ sizeBytes }) => ({ sizeBytes: sizeBytes + 1 })),
  },
  'unknown-revision': {
    what: 'the header is of a revision that does not go with its identifier',
    messages: malformed,
    change: (whole) => ({ ...whole, revision: 9 }),
  },
  signature: {
    what: 'the signature is that of other bytes',
    messages: ['Update.VerificationFailed', 'Redflash.SignatureInvalid'],
    needsSignature: true,
  },
}

function forDevices(change: Partial<PackageDevice>): (whole: Package) => Package {
  return (whole) => ({ ...whole, devices: whole.devices.map((device) => ({ ...device, ...change })) })
}

function forComponents(
  change: (component: PackageComponent) => Partial<PackageComponent>,
): (whole: Package) => Package {
  return (whole) => ({
    ...whole,
    components: whole.components.map((component) => ({ ...component, ...change(component) })),
  })
}
