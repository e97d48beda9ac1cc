"""A sample for the importers."""
import sqlite3
import subprocess

from flask import Flask, request

app = Flask(__name__)


@app.route("/find")
def find():
    name = request.args["q"]
    query = "SELECT * FROM users WHERE name = '%s'" % name
    return str(sqlite3.connect("db").execute(query).fetchall())


@app.route("/ping")
def ping():
    host = request.args["host"]
    return subprocess.check_output("ping -c 1 " + host, shell=True)


def fixed():
    return subprocess.check_output(["uname", "-a"])


def quiet(host):
    return subprocess.call("ping " + host, shell=True)  # nosec
