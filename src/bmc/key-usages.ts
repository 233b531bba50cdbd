/** Bits of the extension keyUsage, in their order (RFC 5280 §4.2.1.3). */
export const usageBits = [
  'DigitalSignature',
  'NonRepudiation',
  'KeyEncipherment',
  'DataEncipherment',
  'KeyAgreement',
  'KeyCertSign',
  'CRLSigning',
  'EncipherOnly',
  'DecipherOnly',
]

/** Purposes of the extension extKeyUsage (RFC 5280 §4.2.1.12), by the names that Certificate.KeyUsage has for them. */
export const keyPurposes: Readonly<Record<string, string>> = {
  ServerAuthentication: '1.3.6.1.5.5.7.3.1',
  ClientAuthentication: '1.3.6.1.5.5.7.3.2',
  CodeSigning: '1.3.6.1.5.5.7.3.3',
  EmailProtection: '1.3.6.1.5.5.7.3.4',
  Timestamping: '1.3.6.1.5.5.7.3.8',
  OCSPSigning: '1.3.6.1.5.5.7.3.9',
}

/** All that Certificate v1_11 calls a key's usage. */
export const keyUsages: readonly string[] = [...usageBits, ...Object.keys(keyPurposes)]
