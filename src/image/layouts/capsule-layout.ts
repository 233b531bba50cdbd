// What is where in a UEFI capsule (UEFI 2.10 §8.5.3 and §23.2), for those who read one and those who make one.

/** EFI_FIRMWARE_MANAGEMENT_CAPSULE_ID_GUID: the capsule holds images for the Firmware Management Protocol. */
export const FMP_CAPSULE = '6dcbd5ed-e82d-4c44-bda1-7194199ad92a'
/** EFI_CERT_TYPE_PKCS7_GUID. */
export const PKCS7 = '4aafd29d-68df-49ee-8aa9-347d375665a7'
export const CAPSULE_HEADER_BYTES = 28
export const FMP_HEADER_BYTES = 8
/** Of an image's header, by its version. */
export const imageHeaderBytes: readonly number[] = [0, 32, 40, 48]
/** EFI_FIRMWARE_IMAGE_AUTHENTICATION without the signature in it, and how much of that its length counts. */
export const AUTHENTICATION_BYTES = 32
export const CERTIFICATE_HEADER_BYTES = 24
/** WIN_CERTIFICATE: wRevision 0x0200, and wCertificateType WIN_CERT_TYPE_EFI_GUID above it. */
export const CERTIFICATE_KIND = 0x0ef1_0200
/** FMP_PAYLOAD_HEADER of EDK II, and what it begins with. */
export const PAYLOAD_HEADER_BYTES = 16
export const PAYLOAD_SIGNATURE = 'MSS1'
export const capsuleFlags = {
  persistAcrossReset: 0x1_0000,
  populateSystemTable: 0x2_0000,
  initiateReset: 0x4_0000,
}
/** Bits of ImageCapsuleSupport. */
export const support = { authentication: 1n, dependency: 2n }
export const MAX_ITEMS = 256

/** The same bytes, with ways to read numbers. */
export function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
