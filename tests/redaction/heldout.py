"""Forms that nobody tuned the rules on: secrets as programs write them, and ordinary lines that look alike.

Every value is made here, of a seeded generator; none was ever anybody's.
"""

import base64
import json
import random
import string

_RANDOM = random.Random(20260)
_ALNUM = string.ascii_letters + string.digits
_UPPER = string.ascii_uppercase + string.digits


def made(length: int, letters: str = _ALNUM) -> str:
    """A value like a generator's."""
    return "".join(_RANDOM.choices(letters, k=length))


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _url64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


_LOWER = string.ascii_lowercase + string.digits
_HEX = "0123456789abcdef"
_KEY_LINES = [made(64, _ALNUM + "+/") for _ in range(4)]
_JWT = f"{_url64({'alg': 'RS256', 'kid': 'a1'})}.{_url64({'sub': 'cart', 'exp': 1900000000})}.{made(86, _ALNUM + '-_')}"


def _positives() -> list[tuple[str, str, str]]:  # noqa: PLR0915 - a table, each row of which needs a value of its own
    found: list[tuple[str, str, str]] = []

    def add(name: str, form: str, secret: str) -> None:
        found.append((name, form.replace("{s}", secret), secret))

    add(
        "env file, password of words",
        "DB_HOST=db\nDB_PASSWORD=correct horse battery staple\nDB_NAME=cart",
        "correct horse battery staple",
    )
    add("env file, quoted with export", "export STRIPE_SIGNING='{s}'", "whsec_" + made(32))
    add("env file, rails master key", "RAILS_MASTER_KEY={s}", made(32, _HEX))
    add("env file, django", "DJANGO_SECRET_KEY='{s}'", "django-insecure-" + made(38) + "(&^%")
    add(
        "describe pod, environment",
        "    Environment:\n      MODE:          fast\n      DB_PASS:       {s}\n",
        "Tr0ub4dor&3",
    )
    add("docker config, auth", '{"auths":{"ghcr.io":{"auth":"{s}"}}}', _b64("deploy:" + made(20)))
    add(
        "docker config, several lines",
        '{\n\t"auths": {\n\t\t"registry.example": {\n\t\t\t"auth": "{s}"\n\t\t}\n\t}\n}',
        _b64("ci:" + made(24)),
    )
    docker = _b64(json.dumps({"auths": {"r.example": {"username": "u", "password": made(18), "auth": made(24)}}}))
    add("dockerconfigjson in a manifest", "  .dockerconfigjson: {s}\ntype: kubernetes.io/dockerconfigjson", docker)
    add(
        "helm values",
        "postgresql:\n  auth:\n    username: cart\n    postgresPassword: {s}\n    database: shop",
        "pgpw-plain-one",
    )
    add(
        "helm set on a command line", "helm upgrade cart ./cart --set auth.rootPassword={s},replicas=2", "Zx9-plain-two"
    )
    add("terraform state", '"attributes": {"id": "db-1", "password": "{s}", "port": 5432}', "T3rr4-f0rm")
    add("terraform output", 'db_admin_password = "{s}"', "q7GdW!2kfp")
    add("jdbc, parameters", "jdbc:postgresql://db:5432/cart?user=cart&password={s}&ssl=true", "jdbcPw123")
    add(
        "jdbc, sqlserver",
        "jdbc:sqlserver://db:1433;databaseName=cart;user=sa;password={s};encrypt=true",
        "S4-Strong-One",
    )
    add("ado.net", "Server=db;Database=cart;User Id=sa;Pwd={s};TrustServerCertificate=True", "Ad0NetPw")
    add("redis, password only", "REDIS_URL=redis://:{s}@redis-master:6379/1", "r3disOnly")
    add("mongodb+srv", "mongodb+srv://cart:{s}@cluster0.ab1cd.mongodb.example/shop?retryWrites=true", "m0ngoPw99")
    add("amqp in an error", "dial amqp://guest:{s}@rabbit:5672/: connection refused", "gu3stly")
    add("libpq words", "host=db port=5432 user=cart password={s} sslmode=disable", "libpq-word")
    add("pgpass", "db.internal:5432:shop:cart:{s}", "PgP4ss-" + made(10))
    add("netrc over lines", "machine api.example\n  login ci\n  password {s}\n", "netrcpw1")
    add("npmrc", "//registry.npmjs.org/:_authToken={s}", "npm_" + made(36))
    add("npmrc, legacy auth", "_auth={s}\nalways-auth=true", _b64("ci:" + made(16)))
    add("pip configuration", "index-url = https://__token__:{s}@pypi.example/simple", made(40))
    add(
        "aws credentials file",
        "[default]\naws_access_key_id = AKIA" + made(16, _UPPER) + "\naws_secret_access_key = {s}",
        made(40, _ALNUM + "/+"),
    )
    add(
        "aws session token in JSON",
        '{"Credentials":{"SessionToken":"{s}","Expiration":"2026-11-21T10:00:00Z"}}',
        "FwoGZXIvYXdz" + made(200, _ALNUM + "/+"),
    )
    add("aws secret in a JSON answer", '"SecretAccessKey": "{s}",', made(40, _ALNUM + "/+"))
    add(
        "presigned URL",
        "GET https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA&X-Amz-Signature={s}&X-Amz-Expires=900",
        made(64, _HEX),
    )
    key = "-----BEGIN PRIVATE KEY-----\\n" + "\\n".join(_KEY_LINES) + "\\n-----END PRIVATE KEY-----\\n"
    add(
        "service account JSON",
        '{"type":"service_account","private_key_id":"' + made(40, _HEX) + '","private_key":"' + key + '"}',
        _KEY_LINES[1],
    )
    add("one-line key in an env file", 'APP_KEY_PEM="' + key + '"', _KEY_LINES[2])
    add(
        "openssh key",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n" + "\n".join(_KEY_LINES) + "\n-----END OPENSSH PRIVATE KEY-----",
        _KEY_LINES[0],
    )
    add(
        "pgp key",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n"
        + "\n".join(_KEY_LINES)
        + "\n=aB3d\n-----END PGP PRIVATE KEY BLOCK-----",
        _KEY_LINES[3],
    )
    add("age key", "# public key: age1xyz\n{s}", "AGE-SECRET-KEY-1" + made(58, _UPPER))
    add(
        "key in YAML, indented",
        "tls:\n  key: |\n    -----BEGIN EC PRIVATE KEY-----\n    "
        + "\n    ".join(_KEY_LINES)
        + "\n    -----END EC PRIVATE KEY-----\n",
        _KEY_LINES[1],
    )
    add("vault service token", "renewed {s} for 768h", "hvs." + made(90, _ALNUM + "-_"))
    add("vault old token", "login ok, client {s} stored", "s." + made(24))
    add(
        "vault answer",
        "Key                  Value\n---                  -----\ntoken                {s}\ntoken_accessor       x1",
        "hvs." + made(24),
    )
    add(
        "slack bot token",
        "using {s} for chat.postMessage",
        "xoxb-" + made(12, string.digits) + "-" + made(12, string.digits) + "-" + made(24),
    )
    add(
        "slack webhook",
        "post to https://hooks.slack.com/services/T" + made(8, _UPPER) + "/B" + made(8, _UPPER) + "/{s} failed",
        made(24),
    )
    add(
        "discord webhook",
        "https://discord.com/api/webhooks/" + made(18, string.digits) + "/{s}",
        made(68, _ALNUM + "-_"),
    )
    add(
        "teams webhook",
        "https://x.webhook.office.com/webhookb2/" + made(8, _HEX) + "/IncomingWebhook/{s}/u1",
        made(32, _HEX),
    )
    add(
        "azure storage",
        "DefaultEndpointsProtocol=https;AccountName=x;AccountKey={s};EndpointSuffix=core.windows.net",
        made(86, _ALNUM + "+/") + "==",
    )
    add("azure sas", "https://x.blob.core.windows.net/c?sv=2024-11-04&se=2026-12-01&sp=r&sig={s}", made(43) + "%3D")
    add(
        "azure service bus",
        "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={s}",
        made(43, _ALNUM + "+/") + "=",
    )
    add("azure client secret", "client_secret: {s}", made(3) + "8Q~" + made(34, _ALNUM + "-_"))
    add("twilio", "TWILIO_AUTH={s}", made(32, _HEX))
    add("stripe in Go code", 'stripe.Key = "{s}"', "sk_live_" + made(24))
    add("stripe restricted", "charge failed with key {s}", "rk_live_" + made(24))
    add("sendgrid", "mailer: bearer rejected: {s}", "SG." + made(22) + "." + made(43))
    add(
        "github fine-grained",
        "remote: https://x-access-token:{s}@github.com/a/b.git",
        "github_pat_" + made(22) + "_" + made(59),
    )
    add("gitlab runner", "Registering runner... {s}", "glrt-" + made(20))
    add("openai project key", "openai: incorrect API key provided: {s}", "sk-proj-" + made(60, _ALNUM + "-_"))
    add("anthropic key", "x-api-key: {s}", "sk-ant-api03-" + made(90, _ALNUM + "-_"))
    add("datadog", 'DD_API_KEY: "{s}"', made(32, _HEX))
    add("new relic", "license_key: {s}", made(36, _HEX) + "NRAL")
    add("curl user", "curl -sS -u 'ci:{s}' https://nexus.example/repo", "Nexus-pw-1")
    add("curl user at the end", "$ curl https://api.example/v1 --user ops:{s}", "opspw2026")
    add("curl header", "curl -H 'X-Api-Key: {s}' https://api.example", made(20, _LOWER))
    add("basic header", "> Authorization: Basic {s}", _b64("ci:" + made(12)))
    add("proxy header", "Proxy-Authorization: Basic {s}\r\nHost: x", _b64("p:" + made(9)))
    add("bearer in python", "headers={'Authorization': 'Bearer {s}'}", made(43, _ALNUM + "-_"))
    add("set-cookie", "< Set-Cookie: JSESSIONID={s}; Path=/; HttpOnly", made(32, _UPPER))
    add("cookie header", "cookie: _ga=GA1.2.3; sessionid={s}; theme=dark", made(32, _LOWER))
    add("cookie form", "request sessionid={s} rejected", made(32, _LOWER))
    add("jwt in a query", "GET /ws?access_token={s} HTTP/1.1", _JWT)
    add("jwt in a log", 'msg="verifying" jwt={s} alg=RS256', _JWT)
    add("kubeconfig", "users:\n- name: a\n  user:\n    client-key-data: {s}", made(400, _ALNUM + "+/"))
    add("kubeconfig token", "  user:\n    token: {s}", made(64, _LOWER))
    add(
        "bootstrap token",
        "kubeadm join 10.0.0.1:6443 --token {s} --discovery-token-ca-cert-hash sha256:" + made(64, _HEX),
        "abcdef." + made(16, _LOWER),
    )
    add("ini, plain word", "[smtp]\nuser = mailer\npass = {s}\n", "plainword")
    add("properties", "spring.datasource.password={s}", "springPw1")
    add("xml setting", '<add key="SmtpPassword" value="{s}" />', "smtpPw12")
    add("xml attribute", '<connection user="a" password="{s}" />', "xmlattr1")
    add("yaml list of env", "- name: API_SECRET\n  value: {s}", made(24))
    add("json env", '{"name": "REDIS_PASSWORD", "value": "{s}"}', "red1s-Pw")
    add("toml", '[auth]\nclient_secret = "{s}"', made(30))
    add("python repr", "Settings(host='db', password='{s}', port=1)", "repr-pw-1")
    add("go struct", "{Host:db User:cart Password:{s} Port:5432}", "goPw2026")
    add("java map", "{host=db, password={s}, port=1}", "javaPw26")
    add("mysql flag", "mysqldump -h db -u root -p{s} shop", "Mysq1Pw")
    add("redis auth", "redis-cli -h r -a {s} ping", "r3d1sCli")
    add("sql", "ALTER ROLE cart WITH LOGIN PASSWORD '{s}';", "sqlPw-26")
    add("htpasswd", "admin:{s}", "$apr1$" + made(8) + "$" + made(22, _ALNUM + "./"))
    add("shadow", "root:{s}:19000:0:99999:7:::", "$y$j9T$" + made(20, _ALNUM + "./") + "$" + made(43, _ALNUM + "./"))
    add("wireguard", "[Interface]\nPrivateKey = {s}\nAddress = 10.0.0.2/32", made(43, _ALNUM + "+/") + "=")
    add("one-time password", "otpauth://totp/x:a?secret={s}&issuer=x", made(32, string.ascii_uppercase + "234567"))
    add("hex after a name", "encryption_key={s}", made(64, _HEX))
    return found


POSITIVES = _positives()

_HEX32 = made(32, _HEX)
_SHA = made(64, _HEX)
BENIGN = [
    "session_id=ses_" + made(20, _LOWER),
    '{"session_id":"ses_' + made(26, _LOWER) + '","incident":"inc_' + made(16, _LOWER) + '"}',
    '"request_id": "' + made(48, _HEX) + '"',
    '{"key":"' + _SHA + '","lease":"lease-' + made(12, _LOWER) + '"}',
    "key: " + made(48, _HEX),
    "idempotency_key=" + made(40, _HEX),
    "Idempotency-Key: " + made(8, _HEX) + "-1111-4222-8333-" + made(12, _HEX),
    "lease_id=database/creds/cart-ro/" + made(24),
    "lease_id: kubernetes/creds/restart/" + made(24),
    "finding fi_" + made(24, _LOWER) + " cites ev_" + made(24, _LOWER) + " and ev_" + made(24, _LOWER),
    '"evidence": ["ev_' + made(24, _LOWER) + '"], "session": "ses_' + made(24, _LOWER) + '"',
    "session ses_" + made(24, _LOWER) + " of inc_" + made(24, _LOWER) + " ended",
    "digest=" + _SHA + " policy_version=7",
    "hash: " + _SHA,
    "previous_hash=" + _SHA + " hash=" + made(64, _HEX),
    "sha256 " + _SHA + "  cart.tar.gz",
    "signature: sha256:" + _SHA,
    "token: Unauthorized",
    "Error: token: Unauthorized",
    "token: expired at 2026-11-21T09:00:00Z",
    "password: incorrect",
    "password: authentication failed",
    "secret: not found",
    "token: Forbidden (403)",
    "api_key: MissingParameter",
    "token: signature is invalid",
    "apiKey: must not be blank",
    "auth: connection reset by peer",
    "access: denied",
    "client: 10.0.3.4:55210",
    "session: closed by server",
    "Trace-Id: " + _HEX32 + " Span-Id: " + made(16, _HEX),
    "X-Amzn-Trace-Id: Root=1-" + made(8, _HEX) + "-" + made(24, _HEX),
    "X-GitHub-Delivery: " + made(8, _HEX) + "-1111-4222-8333-" + made(12, _HEX),
    "etag: " + _HEX32,
    "secretName: cart-db-credentials",
    "tokenReviews.authentication.k8s.io is forbidden",
    "imagePullSecrets: [{name: regcred}]",
    "secretRef: {name: cart-env}",
    'Warning  FailedMount  MountVolume.SetUp failed for volume "creds" : secret "cart-creds" not found',
    "Error: couldn't find key DB_PASSWORD in Secret shop/cart-db",
    'secrets "cart-db" is forbidden: User "system:serviceaccount:shop:cart" cannot get resource "secrets"',
    'pods "cart-' + made(10, "bcdf2456") + '-x7k2p" is forbidden: error looking up service account',
    "password_hash_rounds=12 token_ttl=3600 key_count=3",
    "tokens_per_second=41.5 prompt_tokens=1024 completion_tokens=256",
    "passed=12 failed=1 bypass=true compass=north",
    "author=alice authority=root authentic=yes",
    "monkey=1 keyboard=us keyspace=shop turkey: 3",
    "primary key (id), foreign key cart_id references cart(id)",
    "cache key user:1234:profile expired",
    "sort_key=created_at partition_key=tenant-42",
    "public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA" + made(43),
    "kid=" + made(16, _LOWER) + " alg=RS256 typ=JWT",
    'resourceVersion: "' + made(9, string.digits) + '" uid: ' + made(8, _HEX) + "-1111-4222-8333-" + made(12, _HEX),
    "pod-template-hash=" + made(10, "bcdf2456789") + " controller-revision-hash=" + made(10, "bcdf2456789"),
    "containerID: containerd://" + _SHA,
    "imageID: docker.io/library/redis@sha256:" + _SHA,
    "Merge commit '" + made(40, _HEX) + "' into main",
    "go: downloading github.com/a/b v0.0.0-20260101000000-" + made(12, _HEX),
    "h1:" + made(43, _ALNUM + "+/") + "=",
    "integrity sha512-" + made(86, _ALNUM + "+/") + "==",
    "x509: certificate has expired or is not yet valid: SHA1 Fingerprint="
    + ":".join(made(2, "0123456789ABCDEF") for _ in range(20)),
    "-----BEGIN CERTIFICATE-----\n" + "\n".join(_KEY_LINES) + "\n-----END CERTIFICATE-----",
    "redis://redis-master:6379/0 refused",
    "postgres://db.internal:5432/cart?sslmode=require",
    "mongodb://mongo-0.mongo:27017,mongo-1.mongo:27017/shop?replicaSet=rs0",
    "GET /oauth/token 401 in 12 ms",
    "POST /api/v1/secrets/cart/rotate 202",
    "curl -u $USER:$PASS https://x and curl --user ${CI_USER}:${CI_TOKEN} https://y",
    "DB_PASSWORD=$(cat /run/secrets/db)",
    "Authorization header missing",
    "authorization: mode=RBAC,Node",
    "basic auth is disabled; bearer tokens only",
    "Cookie consent: accepted",
    "audit entry 41 hash " + _SHA + " follows " + made(64, _HEX),
    "approval-" + made(48, _HEX) + " is PENDING",
    '{"id":"' + made(48, _HEX) + '","digest":"' + _SHA + '","action":"restart-deployment","policy_version":7}',
    "accessor=" + made(24) + " renewed",
    "nonce mismatch for request " + made(32, _HEX),
    "cert: tls.crt expires in 21 days",
    "license: Apache-2.0",
    "salt-minion restarted; seed=42",
    "pin: 1.2.3 in requirements.txt",
    "bot/slack/web.py:44 in verify_signature: signature=None",
    "webhook: validate.nginx.ingress.kubernetes.io failed: context deadline exceeded",
]
