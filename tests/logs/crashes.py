"""What crashes look like in each language, with what should be read of them: kind, words of the message, frame."""

PYTHON = """\
Traceback (most recent call last):
  File "/usr/local/lib/python3.12/site-packages/flask/app.py", line 880, in full_dispatch
    rv = self.dispatch_request()
  File "/app/orders/views.py", line 41, in create
    total = price / count
  File "/usr/local/lib/python3.12/decimal.py", line 9, in div
    raise x
ZeroDivisionError: division by zero"""
PYTHON_CHAIN = """\
Traceback (most recent call last):
  File "/app/db.py", line 3, in connect
    sock.connect(a)
ConnectionRefusedError: [Errno 111] Connection refused

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/main.py", line 7, in <module>
    start()
RuntimeError: no database"""
GO = """\
panic: runtime error: invalid memory address or nil pointer dereference [recovered]
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4a]

goroutine 19 [running]:
net/http.(*conn).serve.func1()
\t/usr/local/go/src/net/http/server.go:1868 +0xb0
main.(*Cart).Total(0x0)
\t/src/cart/total.go:33 +0x1d
created by main.main in goroutine 1"""
JAVA = """\
Exception in thread "main" org.springframework.beans.factory.BeanCreationException: Error creating bean 'orders'
\tat org.springframework.beans.factory.support.AbstractBeanFactory.doGetBean(AbstractBeanFactory.java:320)
\tat com.shop.orders.Main.start(Main.java:14)
Caused by: java.net.UnknownHostException: mysql
\t... 12 more"""
KOTLIN = """\
2026-01-01 11:55:00,120 ERROR c.s.Checkout - cannot place order
java.lang.IllegalStateException: cart is empty
\tat com.shop.checkout.Place.order(Place.kt:27)
\tat java.base/java.lang.Thread.run(Thread.java:840)"""
NODE = """\
TypeError: Cannot read properties of undefined (reading 'id')
    at Object.<anonymous> (node:internal/modules/cjs/loader:1105:14)
    at total (/app/src/cart.ts:18:22)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)"""
DOTNET = """\
Unhandled exception. System.InvalidOperationException: Sequence contains no elements
   at System.Linq.ThrowHelper.ThrowNoElements()
   at Shop.Cart.Store.First(String id) in /src/Cart/Store.cs:line 52"""
RUBY = """\
/app/lib/cart.rb:12:in `total': undefined method `price' for nil (NoMethodError)
\tfrom /usr/local/bundle/gems/puma-6.0/lib/puma/thread.rb:1:in `run'"""
PHP = """\
PHP Fatal error:  Uncaught RuntimeException: no cart in /var/www/html/src/Cart.php:33
Stack trace:
#0 /var/www/html/vendor/x/Kernel.php(12): Cart->total()
#1 {main}
  thrown in /var/www/html/src/Cart.php on line 33"""
RUST = """\
thread 'main' panicked at src/main.rs:5:10:
called `Result::unwrap()` on an `Err` value: ParseIntError
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"""
NATIVE = "Segmentation fault (core dumped)"

ALL = (
    (PYTHON, "python", "ZeroDivisionError", "division by zero", "/app/orders/views.py:41"),
    (PYTHON_CHAIN, "python", "RuntimeError", "no database", "/app/main.py:7"),
    (GO, "go", "panic", "nil pointer dereference", "/src/cart/total.go:33"),
    (JAVA, "java", "BeanCreationException", "Error creating bean", "com.shop.orders.Main.start Main.java:14"),
    (KOTLIN, "java", "IllegalStateException", "cart is empty", "com.shop.checkout.Place.order Place.kt:27"),
    (NODE, "node", "TypeError", "Cannot read properties", "/app/src/cart.ts:18"),
    (DOTNET, "dotnet", "InvalidOperationException", "no elements", "/src/Cart/Store.cs:52"),
    (RUBY, "ruby", "NoMethodError", "undefined method", "/app/lib/cart.rb:12"),
    (PHP, "php", "RuntimeException", "no cart", "/var/www/html/src/Cart.php:33"),
    (RUST, "rust", "panicked", "ParseIntError", "src/main.rs:5"),
    (NATIVE, "native", "segmentation fault", "", ""),
)
