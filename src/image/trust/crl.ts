import { CertificateRevocationList } from 'pkijs'
import type { Result } from '../../lib/result.ts'
import { type Bounds, hex, readStructure, schemeOf, WrongStructureError } from './asn1.ts'
import type { KnownCertificate } from './known-certificate.ts'
import { isSignatureOf, type Scheme } from './schemes.ts'

/** A list of revoked certificates (RFC 5280 §5). */
export interface Crl {
  /** The name of who made it, as its DER in hexadecimal. */
  readonly issuer: string
  readonly serialNumbers: ReadonlySet<string>
  readonly signed: Uint8Array
  readonly scheme: Scheme
  readonly signature: Uint8Array
}

/** Some 50,000 certificates. */
const BOUNDS: Bounds = { maxBytes: 4 * 2 ** 20, maxNodes: 400_000 }

/** Read once: they may be long, and every signature asks them. */
const known = new WeakMap<Uint8Array, Result<Crl, string>>()

export function readCrl(der: Uint8Array): Result<Crl, string> {
  const read =
    known.get(der) ?? readStructure(der, BOUNDS, (schema) => crlOf(new CertificateRevocationList({ schema })))
  known.set(der, read)
  return read
}

/** The lists among these that can be read. */
export function readableCrls(crls: readonly Uint8Array[]): Crl[] {
  return crls.flatMap((der) => {
    const read = readCrl(der)
    return read.ok ? [read.value] : []
  })
}

function crlOf(list: CertificateRevocationList): Crl {
  const scheme = schemeOf(list.signatureAlgorithm)
  if (scheme === undefined)
    throw new WrongStructureError('it is signed by an algorithm that is not taken here')
  const entries = list.revokedCertificates ?? []
  const extensions = [list.crlExtensions, ...entries.map((entry) => entry.crlEntryExtensions)]
  // Lists of changes, of some reasons only, or of other issuers' certificates.
  if (extensions.some((some) => some?.extensions.some(({ critical }) => critical))) {
    throw new WrongStructureError('it is a list of a kind that is not taken here')
  }
  return {
    issuer: hex(list.issuer.valueBeforeDecode),
    serialNumbers: new Set(
      entries.map(({ userCertificate }) => hex(userCertificate.valueBlock.valueHexView)),
    ),
    signed: list.tbsView,
    scheme,
    signature: list.signatureValue.valueBlock.valueHexView,
  }
}

/** Whether the list is by whom it says that it is by. */
export function isCrlBy({ issuer, scheme, signed, signature }: Crl, one: KnownCertificate): boolean {
  return issuer === one.subject && one.maySignLists && isSignatureOf(one.key, scheme, signed, signature)
}
