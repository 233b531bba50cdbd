import type { Bmc, Row } from '../../bmc/bmc.ts'
import { certificateView } from '../../bmc/certificate-view.ts'
import { commit } from '../../bmc/commit.ts'
import type { ClientCertificate, TrustedCertificate } from '../../bmc/image-servers.ts'
import {
  type CertificateProblem,
  certificateTypes,
  type CertificateType,
  type GivenCertificate,
  readCertificate,
} from '../../bmc/read-certificate.ts'
import { type Result, succeed } from '../../lib/result.ts'
import { Type } from '../../lib/schema.ts'
import { bodyAs } from '../../redfish/body.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import { collection, type JsonObject } from '../../redfish/resource.ts'
import type { Answer, Call } from '../../redfish/resource-table.ts'
import { newMemberId } from './new-member.ts'

const NewCertificate = Type.Object(
  {
    CertificateString: Type.String(),
    CertificateType: Type.Unsafe<CertificateType>({ enum: certificateTypes }),
  },
  { additionalProperties: false },
)

type Entry = TrustedCertificate | ClientCertificate

/** A collection of certificates: where it is, and what may be in it. */
export interface CertificatePlace {
  readonly map: 'trustedCertificates' | 'clientCertificates' | 'trustAnchors'
  readonly path: string
  readonly pathOf: (id: string) => string
  readonly names: readonly [collection: string, member: string]
  /** CertificateUsageTypes; that of web services unless given. */
  readonly usage?: readonly string[]
  readonly accept: (bmc: Bmc, given: GivenCertificate) => Promise<Result<Entry, CertificateProblem>>
}

/** Of those who are trusted: a key that came with a certificate is nothing that we need. */
export async function trusted(
  _bmc: Bmc,
  { certificate }: GivenCertificate,
): Promise<Result<TrustedCertificate, never>> {
  return succeed({ certificate })
}

/** The collection and its members, to which clients add and from which they remove. */
export function certificateCollection(place: CertificatePlace): Row[] {
  const { map, path, pathOf, names, usage } = place
  return [
    {
      path,
      type: 'CertificateCollection',
      view: ({ state }) =>
        collection('CertificateCollection', path, names[0], [...state[map].keys()].map(pathOf)),
      post: (call) => create(place, call),
    },
    {
      path: pathOf(':id'),
      type: 'Certificate',
      view: ({ state }, { id = '' }) => {
        const entry = state[map].get(id)
        return entry && certificateView(pathOf(id), names[1], entry.certificate, usage)
      },
      delete: ({ bmc, params: { id = '' } }) => {
        commit(bmc, { [map]: [[id, undefined]] })
        return { status: 204 }
      },
    },
  ]
}

async function create(place: CertificatePlace, { bmc, body }: Call<Bmc>): Promise<Answer> {
  const { map, pathOf, names, usage, accept } = place
  const asked = bodyAs(NewCertificate, body, certificateMistakes)
  const given = readCertificate(asked.CertificateString, asked.CertificateType)
  const accepted = given.ok ? await accept(bmc, given.value) : given
  if (!accepted.ok) throw new RedfishError(400, unusable(accepted.problem))
  // Only now: meanwhile there may be more of them.
  const { certificate } = accepted.value
  const members: ReadonlyMap<string, Entry> = bmc.state[map]
  const { fingerprint } = certificate
  if ([...members.values()].some((other) => other.certificate.fingerprint === fingerprint)) {
    const exists = message('Base.ResourceAlreadyExists', 'Certificate', 'Fingerprint', fingerprint)
    throw new RedfishError(400, about(exists, '/CertificateString'))
  }
  const id = newMemberId(members)
  commit(bmc, { [map]: [[id, accepted.value]] })
  const uri = pathOf(id)
  return { status: 201, headers: { Location: uri }, body: certificateView(uri, names[1], certificate, usage) }
}

/** Looks at a string whatever its type is called: a chain is all that a single certificate may be, too. */
function certificateMistakes({ CertificateString: text, CertificateType: type }: JsonObject): Message[] {
  if (typeof text !== 'string') return []
  const read = readCertificate(text, type === 'PEM' ? type : 'PEMchain')
  return read.ok ? [] : [unusable(read.problem)]
}

/** A message never repeats the string: a key may stand in it. */
function unusable({ kind }: CertificateProblem): Message {
  const problem =
    kind === 'unreadable'
      ? message('Base.PropertyValueFormatError', '******', 'CertificateString')
      : message('Base.PropertyValueError', 'CertificateString')
  return about(problem, '/CertificateString')
}
