import { Integer, Utf8String } from 'asn1js'
import { randomBytes, webcrypto } from 'node:crypto'
import { AttributeTypeAndValue, BasicConstraints, Certificate, CertificationRequest, Extensions } from 'pkijs'
import { COMMON_NAME, extension, pem, useNodeCrypto } from '../../src/http/certificate.ts'
import { makeKey, requestFor } from '../../src/http/signing-request.ts'

const BASIC_CONSTRAINTS = '2.5.29.19'
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'
const DAY_MS = 86_400_000

/** A certificate authority of a test; its certificates are valid for ten years around 2026. */
export async function createAuthority(name = 'Test authority') {
  useNodeCrypto()
  const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ])
  const own = new AttributeTypeAndValue({ type: COMMON_NAME, value: new Utf8String({ value: name }) })

  const certify = async (
    fill: (certificate: Certificate) => Promise<void>,
    days: number,
  ): Promise<string> => {
    const certificate = new Certificate()
    certificate.version = 2
    certificate.serialNumber = new Integer({ valueHex: randomBytes(8).fill(0x40, 0, 1).buffer.slice(0, 8) })
    certificate.issuer.typesAndValues.push(own)
    certificate.notBefore.value = new Date(Date.UTC(2020, 0, 1))
    certificate.notAfter.value = new Date(Date.UTC(2020, 0, 1) + days * DAY_MS)
    await fill(certificate)
    await certificate.sign(keys.privateKey, 'SHA-256')
    return pem('CERTIFICATE', certificate.toSchema().toBER())
  }
  const certificate = await certify(async (root) => {
    root.subject.typesAndValues.push(own)
    root.extensions = [extension(BASIC_CONSTRAINTS, true, new BasicConstraints({ cA: true }).toSchema())]
    await root.subjectPublicKeyInfo.importKey(keys.publicKey)
  }, 3_650)
  return {
    certificate,
    /** The certificate that a signing request asks for. Throws when the request is not signed by its own key. */
    issue: (text: string, days = 3_650): Promise<string> => {
      const request = readRequest(text)
      return certify(async (issued) => {
        if (!(await request.verify())) throw new Error('the request is not signed by its key')
        issued.subject = request.subject
        issued.subjectPublicKeyInfo = request.subjectPublicKeyInfo
        const wanted = request.attributes?.find(({ type }) => type === EXTENSION_REQUEST)?.values[0]
        issued.extensions = new Extensions({ schema: wanted }).extensions
      }, days)
    },
  }
}

export type Authority = Awaited<ReturnType<typeof createAuthority>>

/** A certificate for these names, with its key, of an authority that exists for it unless given. */
export async function certificateFor(
  names: readonly [string, ...string[]],
  authority?: Authority,
  days?: number,
) {
  const issuer = authority ?? (await createAuthority())
  const privateKey = await makeKey({ algorithm: 'ECDSA', curve: 'P-256' })
  const request = await requestFor({ CommonName: names[0], AlternativeNames: names.slice(1) }, privateKey)
  return { certificate: await issuer.issue(request, days), privateKey, authority: issuer }
}

/** A signing request (PEM), read. */
export function readRequest(text: string): CertificationRequest {
  useNodeCrypto()
  const base64 = /-----BEGIN CERTIFICATE REQUEST-----([^-]+)-----END/.exec(text)?.[1] ?? ''
  return CertificationRequest.fromBER(Uint8Array.from(Buffer.from(base64, 'base64')))
}
