import { BitString, fromBER, OctetString } from 'asn1js'
import { hash, type KeyObject, X509Certificate } from 'node:crypto'
import { BasicConstraints, Certificate } from 'pkijs'
import type { Result } from '../../lib/result.ts'
import { keyPurposes, usageBits } from '../../bmc/key-usages.ts'
import { isDated } from '../../bmc/read-certificate.ts'
import { type Bounds, hex, readStructure, schemeOf, WrongStructureError } from './asn1.ts'
import { formsOf } from './schemes.ts'

/** A certificate, and what matters of it when signatures are judged. */
export interface KnownCertificate {
  readonly x509: X509Certificate
  readonly key: KeyObject
  readonly fingerprint: string
  /** How people call whom it is of. */
  readonly name: string
  /** Names as their DER, and numbers, in hexadecimal. */
  readonly subject: string
  readonly issuer: string
  readonly serialNumber: string
  readonly keyId: string | undefined
  readonly notBefore: number
  readonly notAfter: number
  readonly maySignCode: boolean
  readonly mayCertify: boolean
  readonly maySignLists: boolean
  /** How many certificates may be between it and a signer's. */
  readonly maxBelow: number
  /** Whether its own signature is by an algorithm that counts. */
  readonly isSoundlySigned: boolean
}

const BOUNDS: Bounds = { maxBytes: 64 * 1_024, maxNodes: 4_000 }

const KEY_ID = '2.5.29.14'
const KEY_USAGE = '2.5.29.15'
const BASIC_CONSTRAINTS = '2.5.29.19'
const EXTENDED_KEY_USAGE = '2.5.29.37'
const ANY_PURPOSE = '2.5.29.37.0'
/** Extensions that may be critical: those that are heeded, other names, and policies, which nobody asks for here. */
const HEEDED = [KEY_USAGE, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, '2.5.29.17', '2.5.29.18', '2.5.29.32']

/** Reads a certificate (DER). */
export function readKnown(der: Uint8Array): Result<KnownCertificate, string> {
  return readStructure(der, BOUNDS, (schema) =>
    knownOf(new Certificate({ schema }), new X509Certificate(der)),
  )
}

// eslint-disable-next-line max-lines-per-function -- one fact after the other
function knownOf(certificate: Certificate, x509: X509Certificate): KnownCertificate {
  if (!isDated(x509)) throw new WrongStructureError('it does not say when it is valid')
  const { extensions = [], serialNumber, issuer, subject, signatureAlgorithm } = certificate
  const valueOf = (type: string) => {
    const found = extensions.find(({ extnID }) => extnID === type)
    return found && fromBER(found.extnValue.getValue()).result
  }
  const ids = extensions.map(({ extnID }) => extnID)
  const isUnderstood =
    new Set(ids).size === ids.length &&
    extensions.every(({ extnID, critical }) => !critical || HEEDED.includes(extnID))
  const usage = valueOf(KEY_USAGE)
  const may = (name: string): boolean =>
    usage === undefined || (usage instanceof BitString && hasBit(usage, name))
  const constraints = valueOf(BASIC_CONSTRAINTS)
  const { cA = false, pathLenConstraint } = constraints ? new BasicConstraints({ schema: constraints }) : {}
  const keyId = valueOf(KEY_ID)
  const purposes = x509.keyUsage
  const isForCode = purposes?.some((one) => one === keyPurposes['CodeSigning'] || one === ANY_PURPOSE) ?? true
  return {
    x509,
    key: x509.publicKey,
    fingerprint: hash('sha256', x509.raw, 'hex'),
    name: nameOf(x509),
    subject: hex(subject.valueBeforeDecode),
    issuer: hex(issuer.valueBeforeDecode),
    serialNumber: hex(serialNumber.valueBlock.valueHexView),
    keyId: keyId instanceof OctetString ? hex(keyId.getValue()) : undefined,
    notBefore: x509.validFromDate.getTime(),
    notAfter: x509.validToDate.getTime(),
    maySignCode: isUnderstood && may('DigitalSignature') && isForCode,
    mayCertify: isUnderstood && cA && may('KeyCertSign'),
    maySignLists: isUnderstood && may('CRLSigning'),
    maxBelow: typeof pathLenConstraint === 'number' ? pathLenConstraint : Infinity,
    isSoundlySigned: schemeOf(signatureAlgorithm) !== undefined,
  }
}

/** The first common name, or else the whole subject. */
function nameOf({ subject, fingerprint256 }: X509Certificate): string {
  const lines = (subject ?? '').split('\n').filter((line) => line !== '')
  const common = lines.find((line) => line.startsWith('CN='))?.slice('CN='.length)
  return common ?? (lines.join(', ') || fingerprint256)
}

function hasBit({ valueBlock: { valueHexView } }: BitString, name: string): boolean {
  const index = usageBits.indexOf(name)
  return ((valueHexView[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0
}

/** Whether the key of one signed the other. */
export function isIssuedBy(one: KnownCertificate, issuer: KnownCertificate): boolean {
  const isPlausible = one.issuer === issuer.subject && one.isSoundlySigned && formsOf(issuer.key).length > 0
  if (!isPlausible) return false
  try {
    return one.x509.verify(issuer.key)
  } catch {
    return false // a key of another kind than the signature
  }
}
