/** AMT_BootSettingData.UefiBootParametersArray: what a UEFI boot is told, type by type (Intel One-Click Recovery). */

/** The types that are used here. */
export const parameterTypes = { networkDevicePath: 1, imageSha256: 4, syncRootCa: 20 } as const

export interface BootParameter {
  readonly type: number
  readonly value: Uint8Array
}

export const MAX_URL_BYTES = 300
const INTEL = 0x8086
const HEADER_BYTES = 8

/** Each parameter with its vendor, its type and its length before it, little-endian; all in base64. */
export function encodeParameters(parameters: readonly BootParameter[]): string {
  const parts = parameters.map(({ type, value }) => {
    const header = Buffer.alloc(HEADER_BYTES)
    header.writeUInt16LE(INTEL, 0)
    header.writeUInt16LE(type, 2)
    header.writeUInt32LE(value.byteLength, 4)
    return Buffer.concat([header, value])
  })
  return Buffer.concat(parts).toString('base64')
}

/** `undefined` where the bytes are not what they should be; parameters of other vendors are passed over. */
export function decodeParameters(base64: string): readonly BootParameter[] | undefined {
  const bytes = Buffer.from(base64, 'base64')
  const found: BootParameter[] = []
  for (let at = 0; at < bytes.byteLength;) {
    if (at + HEADER_BYTES > bytes.byteLength) return undefined
    const end = at + HEADER_BYTES + bytes.readUInt32LE(at + 4)
    if (end > bytes.byteLength) return undefined
    if (bytes.readUInt16LE(at) === INTEL)
      found.push({ type: bytes.readUInt16LE(at + 2), value: bytes.subarray(at + HEADER_BYTES, end) })
    at = end
  }
  return found
}
