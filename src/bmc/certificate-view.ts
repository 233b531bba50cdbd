import { timestamp } from '../lib/clock.ts'
import { type JsonObject, type Resource, resource } from '../redfish/resource.ts'
import { keyPurposes } from './key-usages.ts'
import type { DistinguishedName, PublicCertificate } from './network.ts'
import { pemOf } from './read-certificate.ts'

const purposeNames = new Map(Object.entries(keyPurposes).map(([name, oid]) => [oid, name]))

/** A Certificate; of one that is not made yet there is little to say. */
export function certificateView(
  uri: string,
  name: string,
  certificate: PublicCertificate | undefined,
  types: readonly string[] = ['Web'],
): Resource {
  const base = {
    ...resource('Certificate', uri, name),
    ...(types.length > 0 && { CertificateUsageTypes: types }),
  }
  if (certificate === undefined) return base
  const { chain, subject, issuer, alternativeNames, usages } = certificate
  const known = usages.flatMap((usage) => purposeNames.get(usage) ?? [])
  return {
    ...base,
    CertificateString: pemOf(certificate),
    CertificateType: chain.length > 1 ? 'PEMchain' : 'PEM',
    Subject: {
      ...identifier(subject),
      ...(alternativeNames.length > 0 && { AlternativeNames: alternativeNames }),
    },
    Issuer: identifier(issuer),
    ValidNotBefore: timestamp(certificate.validFrom),
    ValidNotAfter: timestamp(certificate.validTo),
    SerialNumber: certificate.serialNumber,
    Fingerprint: certificate.fingerprint,
    FingerprintHashAlgorithm: 'TPM_ALG_SHA256',
    SignatureAlgorithm: certificate.signatureAlgorithm,
    ...(known.length > 0 && { KeyUsage: known }),
  }
}

function identifier(name: DistinguishedName): JsonObject {
  const first = (attribute: string): string | undefined => name.get(attribute)?.[0]
  const more = (attribute: string): readonly string[] | undefined => {
    const rest = name.get(attribute)?.slice(1) ?? []
    return rest.length > 0 ? rest : undefined
  }
  const attributes = [...name].flatMap(([attribute, values]) =>
    values.map((value) => `${attribute}=${value}`),
  )
  return {
    CommonName: first('CN'),
    AdditionalCommonNames: more('CN'),
    Organization: first('O'),
    OrganizationalUnit: first('OU'),
    AdditionalOrganizationalUnits: more('OU'),
    City: first('L'),
    State: first('ST'),
    Country: first('C'),
    Email: first('emailAddress'),
    DomainComponents: name.get('DC'),
    DisplayString: attributes.join(', '),
  }
}
