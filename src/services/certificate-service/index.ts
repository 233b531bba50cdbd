import type { Bmc, Row } from '../../bmc/bmc.ts'
import type { CertificateProblem, Certificates } from '../../http/certificates.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import { link, resource } from '../../redfish/resource.ts'
import { type Answer, type Call } from '../../redfish/resource-table.ts'
import { referencePath, uris } from '../../redfish/uris.ts'
import { keyUsages } from './certificate-view.ts'
import { httpsCertificateRows } from './https-certificate.ts'
import { ENCODABLE, curves, keyKind, keyParameters } from './key-parameters.ts'

const GENERATE = 'CertificateService.GenerateCSR'
const REPLACE = 'CertificateService.ReplaceCertificate'
const certificateTypes = ['PEM', 'PEMchain'] as const
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

/** CertificateService and the HTTPS certificate of the manager that serves Redfish. */
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
      view: ({ machine: { manager } }) => ({
        ...resource('CertificateLocations', uris.certificateLocations, 'Certificate locations'),
        Links: {
          Certificates: [link(uris.httpsCertificate(manager))],
          'Certificates@odata.count': 1,
        },
      }),
    },
    ...httpsCertificateRows(certificates),
  ]
}

async function generate(certificates: Certificates, { bmc, body }: Call<Bmc>): Promise<Answer> {
  const { CertificateCollection, KeyPairAlgorithm, KeyCurveId, KeyBitLength, ...subject } = body as Static<
    typeof GenerateParameters
  >
  const uri = uris.httpsCertificates(bmc.machine.manager)
  if (referencePath(CertificateCollection['@odata.id']) !== uri) {
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
  const uri = uris.httpsCertificate(bmc.machine.manager)
  if (referencePath(CertificateUri['@odata.id']) !== uri) {
    throw refuse('/CertificateUri', message('Base.ActionParameterValueError', 'CertificateUri', REPLACE))
  }
  const isChain = CertificateString.split('-----BEGIN CERTIFICATE-----').length > 2
  if (isChain && CertificateType === 'PEM') throw unusable({ kind: 'chain' })
  const replaced = await certificates.replace(bmc, CertificateString)
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
