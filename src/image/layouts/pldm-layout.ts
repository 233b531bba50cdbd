import type { FormatName } from '../image-format.ts'

/** The format of a package's header (DSP0267 §7). */
export interface Revision {
  readonly format: FormatName
  /** What the header begins with, in hexadecimal. */
  readonly identifier: string
  readonly revision: number
}

/** Versions 1.0 to 1.3. */
export const revisions: readonly Revision[] = [
  { format: 'PLDMv1_0', identifier: 'f018878ccb7d49439800a02f059aca02', revision: 1 },
  { format: 'PLDMv1_1', identifier: '1244d2648d7d4718a030fc8a56587d5a', revision: 2 },
  { format: 'PLDMv1_2', identifier: '3119ce2fe80a4a99af6d46f8b121f6bf', revision: 3 },
  { format: 'PLDMv1_3', identifier: '7b291c996db64208801b02026e463c78', revision: 4 },
]

/** Revisions of the header since which there is more in it. */
export const since = { downstream: 2, opaqueData: 3, manifests: 4, payloadChecksum: 4 } as const

/** Identifier, revision and size: what every header begins with. */
export const PRELUDE_BYTES = 19
export const IDENTIFIER_BYTES = 16
export const CHECKSUM_BYTES = 4

/** Component options, and options of a downstream device. */
export const FORCE_UPDATE = 1
export const USE_COMPARISON_STAMP = 2
export const HAS_MIN_VERSION = 1

export const stringTypes = { none: 0, ascii: 1, utf8: 2, utf16: 3, utf16le: 4, utf16be: 5 } as const

export const VENDOR_DEFINED = 0xffff
/** How long the data of a descriptor is, by its type; a vendor's own is as long as it wants. */
export const descriptorBytes: ReadonlyMap<number, number> = new Map([
  [0x0000, 2], // PCI vendor
  [0x0001, 4], // IANA enterprise
  [0x0002, 16], // UUID
  [0x0003, 3], // PnP vendor
  [0x0004, 4], // ACPI vendor
  [0x0005, 3], // IEEE assigned company
  [0x0006, 8], // SCSI vendor
  [0x0100, 2], // PCI device
  [0x0101, 2], // PCI subsystem vendor
  [0x0102, 2], // PCI subsystem
  [0x0103, 1], // PCI revision
  [0x0104, 4], // PnP product
  [0x0105, 4], // ACPI product
  [0x0106, 40], // ASCII model number, long
  [0x0107, 10], // ASCII model number, short
  [0x0108, 16], // SCSI product
  [0x0109, 4], // UBM controller device code
  [0x010a, 8], // IEEE EUI-64
  [0x010b, 2], // PCI revisions, from and to
])
