import type { Bmc, Row } from '../../bmc/bmc.ts'
import { keyUsages } from '../../bmc/key-usages.ts'
import { type CertificateProblem, certificateTypes, readCertificate } from '../../bmc/read-certificate.ts'
import type { Certificates } from '../../http/certificates.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import { link, resource } from '../../redfish/resource.ts'
import { type Answer, type Call } from '../../redfish/resource-table.ts'
import { referencePath, uris } from '../../redfish/uris.ts'
import { httpsCertificateRows } from './https-certificate.ts'
import { ENCODABLE, curves, keyKind, keyParameters } from './key-parameters.ts'
import { replacementOf } from './replacement.ts'

const GENERATE = 'CertificateService.GenerateCSR'
const REPLACE = 'CertificateService.ReplaceCertificate'
const closed = { additionalProperties: false }

const Text = Type.Optional(Type.String({ minLength: 1, maxLength: 256, pattern: ENCODABLE }))
// RFC 5280 §4.1.2.4 and §4.2.1.6: e-mail addresses and host names are ASCII.
const Ascii = { minLength: 1, maxLength: 253, pattern: '^[\\x21-\\x7e]+$' }
const Reference = Type.Object({ '@odata.id': Type.String() }, closed)

const GenerateParameters = Type.Object(
  {
    CertificateCollection: Reference,
    CommonName: Type.String(Ascii),
    AlternativeNames: Type.Optional(Type.Array(Type.String(Ascii), { maxItems: 64 })),
    Organization: Text,
    OrganizationalUnit: Text,
    City: Text,
    State: Text,
    Country: Type.Optional(Type.String({ pattern: '^[A-Za-z]{2}$' })),
    Email: Type.Optional(Type.String(Ascii)),
    Surname: Text,
    GivenName: Text,
    Initials: Text,
    UnstructuredName: Text,
    ChallengePassword: Text,
    KeyUsage: Type.Optional(Type.Array(Type.Unsafe<string>({ enum: keyUsages }))),
    ...keyParameters,
  },
  closed,
)

const ReplaceParameters = Type.Object(
  {
    CertificateUri: Reference,
    CertificateString: Type.String(),
    CertificateType: Type.Unsafe<(typeof certificateTypes)[number]>({ enum: certificateTypes }),
  },
  closed,
)

/** CertificateService, and the HTTPS certificate of the manager that serves Redfish. */
export function certificateRows(certificates: Certificates): Row[] {
  return [
    {
      path: uris.certificateService,
      type: 'CertificateService',
      view: () => ({
        ...resource('CertificateService', uris.certificateService, 'Certificate service'),
        CertificateLocations: link(uris.certificateLocations),
        Actions: {
          [`#${GENERATE}`]: {
            target: uris.action(uris.certificateService, GENERATE),
            'KeyPairAlgorithm@Redfish.AllowableValues': ['TPM_ALG_ECDSA', 'TPM_ALG_RSA'],
            'KeyCurveId@Redfish.AllowableValues': Object.keys(curves),
            'KeyUsage@Redfish.AllowableValues': keyUsages,
          },
          [`#${REPLACE}`]: {
            target: uris.action(uris.certificateService, REPLACE),
            'CertificateType@Redfish.AllowableValues': certificateTypes,
          },
        },
      }),
      actions: {
        [GENERATE]: { parameters: GenerateParameters, run: (call) => generate(certificates, call) },
        [REPLACE]: { parameters: ReplaceParameters, run: (call) => replace(certificates, call) },
      },
    },
    {
      path: uris.certificateLocations,
      type: 'CertificateLocations',
      view: (bmc) => {
        const located = certificateUris(bmc)
        return {
          ...resource('CertificateLocations', uris.certificateLocations, 'Certificate locations'),
          Links: { Certificates: located.map(link), 'Certificates@odata.count': located.length },
        }
      },
    },
    ...httpsCertificateRows(certificates),
  ]
}

function certificateUris({ machine, state }: Bmc): string[] {
  return [
    uris.httpsCertificate(machine.manager),
    ...[...state.trustedCertificates.keys()].map(uris.remoteServerCertificate),
    ...[...state.clientCertificates.keys()].map(uris.clientCertificate),
    ...[...state.trustAnchors.keys()].map(uris.trustAnchor),
  ]
}

async function generate(certificates: Certificates, { bmc, body }: Call<Bmc>): Promise<Answer> {
  const { CertificateCollection, KeyPairAlgorithm, KeyCurveId, KeyBitLength, ...subject } = body as Static<
    typeof GenerateParameters
  >
  const uri = referencePath(CertificateCollection['@odata.id'])
  // Of servers that are trusted the service has no keys.
  if (![uris.httpsCertificates(bmc.machine.manager), uris.clientCertificates].includes(uri)) {
    throw refuse(
      '/CertificateCollection',
      message('Base.ActionParameterValueError', 'CertificateCollection', GENERATE),
    )
  }
  const kind = keyKind({ KeyPairAlgorithm, KeyCurveId, KeyBitLength }, GENERATE)
  const CSRString = await certificates.request(bmc, subject, kind)
  return { status: 200, body: { CertificateCollection: link(uri), CSRString } }
}

async function replace(certificates: Certificates, { bmc, body }: Call<Bmc>): Promise<Answer> {
  const { CertificateUri, CertificateString, CertificateType } = body as Static<typeof ReplaceParameters>
  const uri = referencePath(CertificateUri['@odata.id'])
  const put = replacementOf(bmc, uri, certificates)
  if (put === undefined) {
    throw refuse('/CertificateUri', message('Base.ActionParameterValueError', 'CertificateUri', REPLACE))
  }
  const given = readCertificate(CertificateString, CertificateType)
  const replaced = given.ok ? await put(given.value) : given
  if (!replaced.ok) throw unusable(replaced.problem)
  return { status: 204, headers: { Location: uri } }
}

/** A message never repeats the string: a key may stand in it. */
function unusable({ kind }: CertificateProblem): RedfishError {
  const problem =
    kind === 'unreadable'
      ? message('Base.ActionParameterValueFormatError', '******', 'CertificateString', REPLACE)
      : message('Base.ActionParameterValueError', 'CertificateString', REPLACE)
  return refuse('/CertificateString', problem)
}

function refuse(pointer: string, problem: Message): RedfishError {
  return new RedfishError(400, about(problem, pointer))
}
