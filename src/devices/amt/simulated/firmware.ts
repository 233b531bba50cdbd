/** What runs on a machine, as it tells it. */
export interface Versions {
  readonly bios: string
  /** When the BIOS was released: milliseconds since the epoch. */
  readonly biosReleased: number
  /** Of the CSME, which AMT is part of: three numbers and that of the build, as in 16.1.25.1932. */
  readonly csme: string
  /** What the CSME runs where its own firmware does not. */
  readonly recovery: string
}

/** One version of CSME in two: the numbers, and that of the build. */
export function partsOf(csme: string): { readonly numbers: string; readonly build: string } {
  const [major = '0', minor = '0', hotfix = '0', build = '0'] = csme.split('.')
  return { numbers: `${major}.${minor}.${hotfix}`, build }
}

/** The pieces of CIM_SoftwareIdentity, by their InstanceID. */
export function softwareIdentities({ csme, recovery }: Versions): ReadonlyMap<string, string> {
  const [running, spare] = [partsOf(csme), partsOf(recovery)]
  return new Map([
    ['Flash', running.numbers],
    ['Netstack', running.numbers],
    ['AMTApps', running.numbers],
    ['AMT', running.numbers],
    ['Sku', '16392'],
    ['VendorID', '8086'],
    ['Build Number', running.build],
    ['Recovery Version', spare.numbers],
    ['Recovery Build Num', spare.build],
    ['Legacy Mode', 'False'],
    ['AMT FW Core Version', running.numbers],
  ])
}

/** A version as the audit log has it: four numbers of 16 bits. */
export function versionBytes(csme: string): Uint8Array {
  const bytes = Buffer.alloc(8)
  const { numbers, build } = partsOf(csme)
  for (const [index, text] of [...numbers.split('.'), build].entries())
    bytes.writeUInt16BE((Number.parseInt(text, 10) || 0) & 0xffff, index * 2)
  return bytes
}
