"""Wrong or missing settings, references, credentials, rights."""

from tests.incidents.cluster import Cluster, Json, at
from tests.incidents.controllers import REFUSED, callers_notice
from tests.incidents.fault import fault
from tests.incidents.kubelet import crash, creating, unready, waits
from tests.incidents.rolling import blocked, first, replace, set_env, set_fields, surge


@fault("users report the shop is failing in namespace shop; what is wrong?", "deployment/checkout", "configmap-missing")
def a_config_map_of_another_name(c: Cluster, *, sick: bool) -> None:
    if not sick:
        c.put("ConfigMap", "shop", "checkout-settings", data={"RETRIES": "3"})
    pods = replace(c, "checkout", set_fields(envFrom=[{"configMapRef": {"name": "checkout-settings"}}]))
    for pod in pods if sick else []:
        waits(
            c,
            pod,
            "CreateContainerConfigError",
            'configmap "checkout-settings" not found',
            said='Error: configmap "checkout-settings" not found',
        )
    if sick:
        callers_notice(c, "checkout", REFUSED)


@fault("why does the rollout of deployment payment in shop not finish?", "deployment/payment", "config-key-missing")
def a_config_key_that_is_not_there(c: Cluster, *, sick: bool) -> None:
    key = "CURRENCY_CODE" if sick else "CURRENCY"
    env = [{"name": "CURRENCY", "valueFrom": {"configMapKeyRef": {"name": "shop-settings", "key": key}}}]
    for pod in (
        surge(c, "payment", set_fields(env=env), sick=sick) if sick else replace(c, "payment", set_fields(env=env))
    ):
        if sick:
            said = "couldn't find key CURRENCY_CODE in ConfigMap shop/shop-settings"
            waits(c, pod, "CreateContainerConfigError", said, said=f"Error: {said}")


@fault("orders is down", "deployment/orders", "secret-missing")
def a_secret_that_was_not_copied(c: Cluster, *, sick: bool) -> None:
    name = "orders-signing-key"
    if not sick:
        c.put("Secret", "shop", name, type="Opaque", data={"key": ""})
    env = [{"name": "SIGNING_KEY", "valueFrom": {"secretKeyRef": {"name": name, "key": "key"}}}]
    for pod in replace(c, "orders", set_fields(env=env)):
        if sick:
            waits(
                c,
                pod,
                "CreateContainerConfigError",
                f'secret "{name}" not found',
                said=f'Error: secret "{name}" not found',
            )
    if sick:
        callers_notice(c, "orders", REFUSED)


@fault("pods of profiles do not start in namespace shop", "deployment/profiles", "config-key-missing", ("Secret",))
def a_secret_key_that_is_not_there(c: Cluster, *, sick: bool) -> None:
    key = "passwd" if sick else "password"
    env = [
        {"name": "DATABASE_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "profiles-db-credentials", "key": key}}}
    ]
    for pod in replace(c, "profiles", set_fields(env=env)):
        if sick:
            said = "couldn't find key passwd in Secret shop/profiles-db-credentials"
            waits(c, pod, "CreateContainerConfigError", said, said=f"Error: {said}")


@fault("email pods hang in ContainerCreating", "deployment/email", "configmap-missing")
def a_template_volume_without_its_config_map(c: Cluster, *, sick: bool) -> None:
    def edit(spec: Json) -> None:
        spec["volumes"] = [{"name": "templates", "configMap": {"name": "mail-templates", "defaultMode": 420}}]
        first(spec)["volumeMounts"] = [{"name": "templates", "mountPath": "/templates"}]

    if not sick:
        c.put("ConfigMap", "shop", "mail-templates", data={"order.html": "<p>"})
    for pod in replace(c, "email", edit):
        if sick:
            creating(
                c,
                pod,
                "FailedMount",
                'MountVolume.SetUp failed for volume "templates" : configmap "mail-templates" not found',
            )
    if sick:
        callers_notice(c, "email", REFUSED)


@fault("search does not come up after the change", "deployment/search", "config-key-missing")
def a_volume_item_that_is_not_there(c: Cluster, *, sick: bool) -> None:
    key = "app.yaml" if sick else "LOG_LEVEL"
    items = [{"key": key, "path": "app.yaml"}]

    def edit(spec: Json) -> None:
        spec["volumes"] = [{"name": "conf", "configMap": {"name": "shop-settings", "items": items}}]

    for pod in replace(c, "search", edit):
        if sick:
            creating(
                c,
                pod,
                "FailedMount",
                'MountVolume.SetUp failed for volume "conf" : configmap references non-existent config key: app.yaml',
            )


@fault("the shop's front page shows errors", "deployment/frontend", "callee-missing")
def a_callee_address_with_a_typing_error(c: Cluster, *, sick: bool) -> None:
    host = "catalogue" if sick else "catalog.shop.svc.cluster.local"
    for pod in replace(c, "frontend", set_env("CATALOG_ADDR", f"{host}:3550")):
        if sick:
            c.log(
                pod,
                *[
                    "ERROR could not retrieve products: rpc error: code = Unavailable desc = name resolver error: "
                    "dial tcp: lookup catalogue on 10.96.0.10:53: no such host"
                ]
                * 6,
            )


@fault("orders answers 500 to everything, namespace shop", "deployment/orders", "callee-port-mismatch")
def a_database_port_with_a_typing_error(c: Cluster, *, sick: bool) -> None:
    port = 5433 if sick else 5432
    for pod in replace(c, "orders", set_env("ORDERS_DB_ADDR", f"orders-db:{port}")):
        if sick:
            crash(
                c,
                pod,
                "INFO orders starting",
                f"ERROR connect to orders-db:{port}: dial tcp {c.get('Pod', 'orders-db-0')['status']['podIP']}:{port}: "
                "connect: connection refused",
                "FATAL database is not reachable",
            )
    if sick:
        callers_notice(c, "orders", REFUSED)


@fault("deployment shipping has no pods", "deployment/shipping", "service-account-missing")
def a_service_account_that_was_not_created(c: Cluster, *, sick: bool) -> None:
    if not sick:
        c.put("ServiceAccount", "shop", "shipping")
    blocked(
        c,
        "shipping",
        lambda spec: spec.update(serviceAccountName="shipping"),
        'pods "shipping-" is forbidden: error looking up service account shop/shipping: serviceaccount "shipping" '
        "not found",
        sick=sick,
    )


@fault("invoicing does not work since this morning", "deployment/invoicing", "rbac-denied")
def rights_that_were_taken_away(c: Cluster, *, sick: bool) -> None:
    for pod in replace(c, "invoicing", set_env("SYNC", "true")):
        if sick:
            crash(
                c,
                pod,
                "INFO invoicing starting",
                "ERROR failed to list *v1.ConfigMap: configmaps is forbidden: User "
                '"system:serviceaccount:shop:default" '
                'cannot list resource "configmaps" in API group "" in the namespace "shop"',
                "FATAL caches did not synchronise",
            )


@fault("payment keeps restarting", "deployment/payment", ("setting-missing", "app-exits"))
def a_required_setting_that_is_not_set(c: Cluster, *, sick: bool) -> None:
    for pod in surge(c, "payment", set_env("VAULT_ADDR", "" if sick else "vault:8200"), sick=sick):
        if sick:
            crash(c, pod, "INFO payment v2.14.0 starting", "FATAL required environment variable VAULT_ADDR is not set")


@fault("checkout reports 500s when orders are written", "deployment/orders", "auth-failing")
def a_database_password_that_is_wrong(c: Cluster, *, sick: bool) -> None:
    for pod in replace(c, "orders", set_env("DATABASE_USER", "app2" if sick else "app")):
        if sick:
            crash(
                c, pod, "INFO orders starting", 'FATAL: password authentication failed for user "app2" (SQLSTATE 28P01)'
            )
    if sick:
        c.log(c.get("Pod", "orders-db-0"), *['FATAL:  password authentication failed for user "app2"'] * 8)
        callers_notice(c, "orders", REFUSED)


@fault("profiles cannot be loaded", ("deployment/profiles", "statefulset/profiles-db"), "auth-failing")
def a_database_role_that_was_revoked(c: Cluster, *, sick: bool) -> None:
    for pod in c.pods_of("profiles") if sick else []:
        c.log(
            pod,
            *[
                "ERROR find profile: (Unauthorized) not authorized on profiles to execute command "
                '{ find: "profile", filter: { id: 7 } }, full error: {ok: 0, code: 13, codeName: "Unauthorized"}'
            ]
            * 40,
        )


@fault("what is wrong with deployment profiles?", ("deployment/profiles", "statefulset/profiles-db"), "auth-failing")
def a_database_user_that_does_not_exist(c: Cluster, *, sick: bool) -> None:
    for pod in replace(c, "profiles", set_env("DATABASE_USER", "profiles" if sick else "app")):
        if sick:
            crash(
                c,
                pod,
                "INFO profiles starting",
                "panic: connection() error occurred during connection handshake: auth error: sasl conversation error: "
                'unable to authenticate using mechanism "SCRAM-SHA-256": (AuthenticationFailed) Authentication failed.',
            )
    if sick:
        c.log(
            c.get("Pod", "profiles-db-0"),
            *[
                '{"s":"I","c":"ACCESS","msg":"Authentication failed","attr":{"user":"profiles","db":"admin",'
                '"error":"UserNotFound: Could not find user \\"profiles\\" for db \\"admin\\""}}'
            ]
            * 6,
        )


@fault("currency is in CrashLoopBackOff", "deployment/currency", ("config-invalid", "app-exits"))
def a_settings_file_that_does_not_parse(c: Cluster, *, sick: bool) -> None:
    text = "rates:\n  EUR: 1\n USD: 2" if sick else "rates:\n  EUR: 1\n  USD: 2"
    c.put("ConfigMap", "shop", "currency-rates", data={"rates.yaml": text}, age=25)
    for pod in replace(
        c, "currency", lambda spec: spec.update(volumes=[{"name": "r", "configMap": {"name": "currency-rates"}}])
    ):
        if sick:
            crash(c, pod, "fatal: cannot read /etc/rates.yaml: yaml: line 3: did not find expected key")
    if sick:
        callers_notice(c, "currency", REFUSED)


@fault("ads pods fail to start", "deployment/ads", ("runs-as-root", "container-config-error"))
def a_root_image_where_root_is_forbidden(c: Cluster, *, sick: bool) -> None:
    context = {"runAsNonRoot": True} | ({} if sick else {"runAsUser": 1000})
    for pod in replace(c, "ads", set_fields(securityContext=context)):
        if sick:
            said = "container has runAsNonRoot and image will run as root"
            waits(c, pod, "CreateContainerConfigError", said, said=f"Error: {said}")


@fault("profiles-db is not coming back", "statefulset/profiles-db", ("file-permission-denied", "app-exits"))
def a_volume_that_the_user_may_not_write(c: Cluster, *, sick: bool) -> None:
    for pod in replace(c, "profiles-db", set_fields(securityContext={"runAsUser": 1001 if sick else 999})):
        if sick:
            crash(
                c,
                pod,
                "chown: changing ownership of '/data/db': Operation not permitted",
                "find: '/data/db/journal': Permission denied",
            )


@fault("recommendation has zero pods in shop", "deployment/recommendation", "pod-security-rejected")
def a_privileged_pod_where_that_is_forbidden(c: Cluster, *, sick: bool) -> None:
    c.get("Namespace", "shop")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "baseline"
    blocked(
        c,
        "recommendation",
        set_fields(securityContext={"privileged": sick}),
        'pods "{pod}" is forbidden: violates PodSecurity "baseline:latest": privileged (container "server" must not '
        "set securityContext.privileged=true)",
        sick=sick,
    )


@fault("cart cannot write its cache", "deployment/cart", ("volume-read-only", "app-exits"))
def a_root_file_system_that_is_read_only(c: Cluster, *, sick: bool) -> None:
    def edit(spec: Json) -> None:
        first(spec)["securityContext"] = {"readOnlyRootFilesystem": True}
        if not sick:
            spec["volumes"] = [{"name": "tmp", "emptyDir": {}}]

    for pod in replace(c, "cart", edit):
        if sick:
            crash(c, pod, "ERROR open /tmp/cache.db: read-only file system")


@fault(
    "frontend shows the wrong currency after the change of settings",
    "deployment/frontend",
    ("config-changed-not-loaded", "app-exits"),
)
def settings_that_nobody_loaded(c: Cluster, *, sick: bool) -> None:
    settings = c.get("ConfigMap", "shop-settings")
    settings["data"]["CURRENCY"] = "CHF"
    # Deployed by `kubectl replace --force`, which deletes and creates.
    settings["metadata"]["creationTimestamp"] = at(40) if sick else at(43_000)
    if sick:
        for pod in c.pods_of("frontend"):
            unready(c, pod, message="HTTP probe failed with statuscode: 503")
