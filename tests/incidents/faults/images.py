"""Images that cannot be pulled, or are not what they should be."""

from tests.incidents.cluster import Cluster
from tests.incidents.controllers import REFUSED, callers_notice
from tests.incidents.fault import fault
from tests.incidents.kubelet import crash, waits
from tests.incidents.rolling import replace, set_fields, set_image, surge


def _pull(c: Cluster, name: str, image: str, error: str, *, sick: bool, stays_up: bool = False) -> None:
    old = c.get("Deployment", name)["spec"]["template"]["spec"]["containers"][0]["image"]
    chosen = image if sick else old.replace("v2.14.0", "v2.14.1")
    pods = surge(c, name, set_image(chosen), sick=sick) if stays_up else replace(c, name, set_image(chosen))
    for pod in pods if sick else []:
        waits(c, pod, "ImagePullBackOff", f'Back-off pulling image "{image}"', said="Error: ImagePullBackOff")
        c.event(pod, "Failed", f'Failed to pull image "{image}": {error}', first=18, last=1.5, count=6)
        c.event(pod, "Failed", "Error: ErrImagePull", first=18, last=1.5, count=6)
        c.event(pod, "BackOff", f'Back-off pulling image "{image}"', first=17, last=0.2, count=70, kind="Normal")
    if sick and not stays_up:
        callers_notice(c, name, REFUSED)


def _not_found(image: str) -> str:
    return (
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": failed to resolve reference '
        f'"{image}": {image}: not found'
    )


@fault("is something wrong in namespace shop? the release is stuck", "deployment/catalog", "image-not-found")
def a_tag_that_does_not_exist(c: Cluster, *, sick: bool) -> None:
    image = "registry.example.com/shop/catalog:v2.15.O"
    _pull(c, "catalog", image, _not_found(image), sick=sick, stays_up=True)


@fault("recommendation is unavailable", "deployment/recommendation", "image-not-found")
def a_repository_with_a_typing_error(c: Cluster, *, sick: bool) -> None:
    image = "registry.example.com/shp/recommendation:v2.14.0"
    _pull(c, "recommendation", image, _not_found(image), sick=sick)


@fault("checkout cannot send mails", "deployment/email", "image-not-found")
def a_docker_hub_image_that_does_not_exist(c: Cluster, *, sick: bool) -> None:
    image = "shop-email:v9"
    error = (
        'failed to pull and unpack image "docker.io/library/shop-email:v9": failed to resolve reference '
        '"docker.io/library/shop-email:v9": pull access denied, repository does not exist or may require '
        "authorization: server message: insufficient_scope: authorization failed"
    )
    _pull(c, "email", image, error, sick=sick)


@fault("payment pods show ImagePullBackOff", "deployment/payment", "image-auth-failed")
def a_registry_that_refuses_the_login(c: Cluster, *, sick: bool) -> None:
    image = "private.example.com/shop/payment:v2.14.1"
    error = (
        f'rpc error: code = Unknown desc = failed to pull and unpack image "{image}": failed to resolve reference '
        f'"{image}": failed to authorize: failed to fetch oauth token: unexpected status from GET request to '
        "https://private.example.com/token: 401 Unauthorized"
    )
    _pull(c, "payment", image, error, sick=sick)


@fault("shipping does not start in shop", "deployment/shipping", ("pull-secret-missing", "image-auth-failed"))
def a_pull_secret_that_is_missing(c: Cluster, *, sick: bool) -> None:
    image = "private.example.com/shop/shipping:v2.14.1"
    secret = "private-login" if sick else "registry-login"
    c.get("Deployment", "shipping")["spec"]["template"]["spec"]["imagePullSecrets"] = [{"name": secret}]
    error = (
        f'rpc error: code = Unknown desc = failed to pull and unpack image "{image}": failed to resolve reference '
        f'"{image}": failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized'
    )
    _pull(c, "shipping", image, error, sick=sick)
    for pod in c.pods_of("shipping") if sick else []:
        c.event(
            pod,
            "FailedToRetrieveImagePullSecret",
            "Unable to retrieve some image pull secrets (private-login); attempting to pull the image may not succeed.",
            first=18,
            last=1,
            count=12,
        )


@fault("ads is down, why?", "deployment/ads", "registry-unreachable")
def a_registry_whose_name_does_not_resolve(c: Cluster, *, sick: bool) -> None:
    image = "registry.exmaple.com/shop/ads:v2.14.1"
    error = (
        f'rpc error: code = Unknown desc = failed to pull and unpack image "{image}": failed to do request: Head '
        '"https://registry.exmaple.com/v2/shop/ads/manifests/v2.14.1": dial tcp: lookup registry.exmaple.com on '
        "10.0.0.2:53: no such host"
    )
    _pull(c, "ads", image, error, sick=sick)


@fault("new pods of search do not start", "deployment/search", "registry-unreachable")
def a_registry_that_does_not_answer(c: Cluster, *, sick: bool) -> None:
    image = "registry.example.com/shop/search:v2.14.1"
    error = (
        f'rpc error: code = DeadlineExceeded desc = failed to pull and unpack image "{image}": failed to do request: '
        'Head "https://registry.example.com/v2/": dial tcp 198.51.100.7:443: i/o timeout'
    )
    _pull(c, "search", image, error, sick=sick)


@fault("currency pods are not ready", "deployment/currency", "image-rate-limited")
def a_registry_that_limits(c: Cluster, *, sick: bool) -> None:
    image = "docker.io/example/currency:v2"
    error = (
        f'failed to pull and unpack image "{image}": failed to copy: httpReadSeeker: failed open: unexpected status '
        "code https://registry-1.docker.io/v2/example/currency/manifests/sha256:1: 429 Too Many Requests - Server "
        "message: "
        "toomanyrequests: You have reached your pull rate limit."
    )
    _pull(c, "currency", image, error, sick=sick)


@fault("what happened to cart in namespace shop", "deployment/cart", "invalid-image-name")
def a_reference_that_is_no_name(c: Cluster, *, sick: bool) -> None:
    image = "registry.example.com/shop/Cart:${TAG}" if sick else "registry.example.com/shop/cart:v3"
    for pod in replace(c, "cart", set_image(image)):
        if sick:
            said = f'Failed to apply default image tag "{image}": couldn\'t parse image name: invalid reference format'
            waits(c, pod, "InvalidImageName", said, event="InspectFailed")
    if sick:
        callers_notice(c, "cart", REFUSED)


@fault("deployment orders unavailable", "deployment/orders", "image-never-pull")
def an_image_that_must_not_be_pulled(c: Cluster, *, sick: bool) -> None:
    edit = set_fields(image="shop/orders:dev", imagePullPolicy="Never" if sick else "IfNotPresent")
    for pod in replace(c, "orders", edit):
        if sick:
            waits(
                c,
                pod,
                "ErrImageNeverPull",
                'Container image "shop/orders:dev" is not present with pull policy of Never',
                event="ErrImageNeverPull",
            )


@fault("profiles is in a crash loop", "deployment/profiles", "exec-format-error")
def an_image_for_another_processor(c: Cluster, *, sick: bool) -> None:
    for pod in replace(
        c, "profiles", set_image("registry.example.com/shop/profiles:v2.14.1-arm64" if sick else "p:v1")
    ):
        if sick:
            crash(c, pod, "exec /app/server: exec format error", code=255)


@fault("invoicing restarts all the time", "deployment/invoicing", "main-process-ends")
def an_image_of_another_program(c: Cluster, *, sick: bool) -> None:
    for pod in replace(c, "invoicing", set_image("registry.example.com/shop/migrate:v3" if sick else "r/invoicing:v2")):
        if sick:
            crash(c, pod, "usage: migrate [up|down]", code=0, reason="Completed")


@fault("the release of frontend broke the shop", "deployment/frontend", "image-not-found")
def a_rollout_that_may_take_everything_down(c: Cluster, *, sick: bool) -> None:
    rolling = {"maxSurge": 0, "maxUnavailable": "100%"}
    c.get("Deployment", "frontend")["spec"]["strategy"]["rollingUpdate"] = rolling
    image = "registry.example.com/shop/frontend:v2.15.0-rc"
    _pull(c, "frontend", image, _not_found(image), sick=sick)
